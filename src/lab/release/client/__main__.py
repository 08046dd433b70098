"""A stand-in for oc: takes the installer out of a release image, as `adm release extract` does, and nothing else.

The lab's registry is a folder of its mirror; it lets in who has a login for it.
"""
import json
import os
import sys
import urllib.error
import urllib.request

REGISTRY = "http://mirror.lab.test/registry"
FLAGS = ("--command", "--to", "--registry-config", "--idms-file")


def main(arguments):
    words, given = [], {}
    for word in arguments:
        flag, equals, value = word.partition("=")
        if not word.startswith("-"):
            words.append(word)
        elif flag in FLAGS and equals:
            given[flag] = value
        else:
            return fail(f"unknown flag: {flag}")
    if words[:3] != ["adm", "release", "extract"] or len(words) != 4:
        return fail(f'unknown command "{" ".join(words)}" for "oc"')
    if given.get("--command") != "openshift-install":
        return fail("the command is not in the release image")
    with open(given["--registry-config"], encoding="utf-8") as file:
        auths = json.load(file).get("auths") or {}
    image = words[3]
    problem = "no such image"
    for place in [*mirrors(given.get("--idms-file"), image), image]:
        registry = place.partition("/")[0]
        if registry not in auths:
            problem = "unauthorized: authentication required"
            continue
        repository, _, reference = place.partition("/")[2].replace("@sha256:", ":sha256-").partition(":")
        url = f"{REGISTRY}/{repository}/{reference}/openshift-install"
        try:
            with urllib.request.urlopen(url, timeout=30) as source:
                content = source.read()
        except (urllib.error.URLError, OSError) as error:
            problem = f"manifest unknown: {error}"
            continue
        path = os.path.join(given.get("--to", "."), "openshift-install")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o755), "wb") as file:
            file.write(content)
        return 0
    return fail(f"unable to read image {image}: {problem}")


def mirrors(path, image):
    """Returns where else the image may be; mirrors are for digests only."""
    if not path or "@sha256:" not in image:
        return []
    with open(path, encoding="utf-8") as file:
        # It is YAML, and JSON is YAML.
        entries = json.load(file)["spec"]["imageDigestMirrors"]
    name, _, digest = image.partition("@")
    return [f"{mirror}@{digest}" for entry in entries if name == entry["source"] for mirror in entry["mirrors"]]


def fail(problem):
    print(f"error: {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
