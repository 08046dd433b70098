"""The installer's two logs: terse on standard error, whole in .openshift_install.log."""
import os
import sys
import time

LEVELS = ["fatal", "error", "warning", "info", "debug"]

_shown = LEVELS.index("info")
_file = None


def open_in(folder, level):
    """Opens the log of an assets folder, which is made if need be."""
    global _shown, _file
    _shown = LEVELS.index("warning" if level == "warn" else level) if level in LEVELS + ["warn"] else 3
    os.makedirs(folder, exist_ok=True)
    _file = open(os.path.join(folder, ".openshift_install.log"), "a", encoding="utf-8")


def write(level, message):
    # As the real one's hooks: no time and no quotes on standard error, a line per line; all of it in the file.
    if _file:
        quoted = message.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        _file.write(f'time="{stamp}" level={level} msg="{quoted}"\n')
        _file.flush()
    if LEVELS.index(level) <= _shown:
        for line in message.split("\n"):
            if sys.stderr.isatty():
                text = f"{level.upper()} {line}"
            else:
                text = f"level={level} msg={line}"
            print(text, file=sys.stderr, flush=True)


def debug(message):
    write("debug", message)


def info(message):
    write("info", message)


def warning(message):
    write("warning", message)


def error(message):
    write("error", message)


def fatal(message):
    write("fatal", message)
