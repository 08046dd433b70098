"""A stand-in for openshift-install: the agent and the UPI workflow's commands, their files, their words.

It takes what the real one takes and refuses what the real one refuses, so that
a rehearsal fails where the real installation would. What it makes boots the
stand-in of a node, not OpenShift; `version` says so.
"""
import os
import sys

import image
import log
import upi
import upi_waiting
import waiting
from problems import Refused

VERSION = "@VERSION@"


def version():
    print(f"""openshift-install {VERSION}
built from commit 0000000000000000000000000000000000000000
release image quay.io/openshift-release-dev/ocp-release:{VERSION}-x86_64
release architecture amd64
this is the stand-in of the ocp2 lab: it installs no OpenShift""")
    return 0


COMMANDS = {
    ("version",): lambda folder: version(),
    ("agent", "create", "image"): image.create,
    ("agent", "wait-for", "bootstrap-complete"): waiting.bootstrap_complete,
    ("agent", "wait-for", "install-complete"): waiting.install_complete,
    ("create", "manifests"): upi.manifests,
    ("create", "ignition-configs"): upi.ignition_configs,
    ("coreos", "print-stream-json"): upi.stream,
    ("wait-for", "bootstrap-complete"): upi_waiting.bootstrap_complete,
    ("wait-for", "install-complete"): upi_waiting.install_complete,
}


def main(arguments):
    words, folder, level = [], ".", "info"
    arguments = list(arguments)
    while arguments:
        word = arguments.pop(0)
        flag, equals, value = word.partition("=")
        if flag in ("--dir", "--log-level"):
            if not equals and not arguments:
                return usage(words, f"flag needs an argument: {flag}")
            value = value if equals else arguments.pop(0)
            folder, level = (value, level) if flag == "--dir" else (folder, value)
        elif word.startswith("-"):
            return usage(words, f"unknown flag: {flag}")
        else:
            words.append(word)
    command = COMMANDS.get(tuple(words))
    if command is None:
        known = max((n for n in range(len(words) + 1) if any(c[:n] == tuple(words[:n]) for c in COMMANDS)))
        name = " ".join(["openshift-install", *words[:known]])
        wrong = words[known] if known < len(words) else ""
        return usage(words[:known], f'unknown command "{wrong}" for "{name}"')
    if words == ["version"]:
        return version()
    if words == ["coreos", "print-stream-json"]:
        return upi.stream(folder)
    log.open_in(folder, level)
    try:
        return command(os.path.normpath(folder))
    except Refused as refusal:
        log.fatal(str(refusal))
        return 1


def usage(words, problem):
    name = " ".join(["openshift-install", *words])
    print(f"Error: {problem}\nRun '{name} --help' for usage.", file=sys.stderr)
    print(f"level=fatal msg=Error executing openshift-install: {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
