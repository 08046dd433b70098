//! The inventory: YAML, its tree, its fields and their checks, and how its problems are shown.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2::{
    cluster::{assume, resolve},
    inventory::{LoadError, Problems},
};
use ocp2_fuzz::inventory;

/// Shows problems as the terminal does; each has its place in the text.
fn show(problems: &Problems, text: &str) {
    assert!(!problems.list().is_empty());
    let lines = text.lines().count() + 1;
    for problem in problems.list() {
        assert!(problem.position().0 <= lines, "{problem} {:?}", problem.position());
    }
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor());
    // Two of them, for drawing them is most of the work.
    for problem in problems.list().first().into_iter().chain(problems.list().last()) {
        handler.render_report(&mut String::new(), problem).expect("it is shown");
    }
}

fuzz_target!(|text: &str| {
    match inventory(text) {
        Err(LoadError::Invalid(problems)) => show(&problems, text),
        Err(LoadError::Unreadable { .. }) => {}
        Ok(loaded) => match resolve(&loaded, &assume(&loaded.inventory).underlays) {
            Err(problems) => show(&problems, text),
            Ok(resolved) => {
                // What has been resolved is written down, and read as it was.
                let decided = ocp2::cluster::Decided::of(&resolved.cluster);
                assert_eq!(ocp2::cluster::Decided::read(&decided.text()), Ok(decided));
            }
        },
    }
});
