"""A stand-in for oc: takes files out of a release image as `adm release extract`, `adm release info` and
`image extract` do, and does nothing else.

A registry of the lab is a folder `/registry` of a web server; it lets in who has a login for it. As the real
one, this speaks HTTPS only and trusts what SSL_CERT_FILE names.
"""
import json
import os
import shutil
import ssl
import sys
import urllib.error
import urllib.request

FLAGS = ("--command", "--to", "--registry-config", "--idms-file", "--image-for", "--path")
SWITCHES = ("--confirm",)


class Failed(Exception):
    """What is said before it exits 1."""


def main(arguments):
    words, given = [], {}
    for word in arguments:
        flag, equals, value = word.partition("=")
        if not word.startswith("-"):
            words.append(word)
        elif flag in FLAGS and equals or flag in SWITCHES and not equals:
            given[flag] = value
        else:
            raise Failed(f"unknown flag: {flag}")
    command = COMMANDS.get(tuple(words[:-1]))
    if command is None:
        raise Failed(f'unknown command "{" ".join(words)}" for "oc"')
    command(words[-1], given)


def release_extract(image, given):
    if given.get("--command") != "openshift-install":
        raise Failed("the command is not in the release image")
    path = os.path.join(given.get("--to", "."), "openshift-install")
    with pull(image, "openshift-install", given) as source:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o755), "wb") as file:
            shutil.copyfileobj(source, file)


def release_info(image, given):
    name = given.get("--image-for")
    if name != "machine-os-images":
        raise Failed(f"no image tag \"{name}\" exists in the release image {image}")
    with pull(image, name, given) as source:
        print(source.read().decode().strip())


def image_extract(image, given):
    inside, _, folder = given.get("--path", "").partition(":")
    if not inside or not folder or "--confirm" not in given:
        raise Failed("you must specify at least one path to copy, and --confirm where there are files already")
    with pull(image, inside.lstrip("/"), given) as source:
        with open(os.path.join(folder, os.path.basename(inside)), "wb") as file:
            shutil.copyfileobj(source, file)


def pull(image, name, given):
    """Opens one file of an image, from the first of its mirrors that has it."""
    with open(given["--registry-config"], encoding="utf-8") as file:
        auths = json.load(file).get("auths") or {}
    problem = "no such image"
    for place in [*mirrors(given.get("--idms-file"), image), image]:
        registry = place.partition("/")[0]
        if registry not in auths:
            problem = "unauthorized: authentication required"
            continue
        repository, _, reference = place.partition("/")[2].replace("@sha256:", ":sha256-").partition(":")
        try:
            return urllib.request.urlopen(f"https://{registry}/registry/{repository}/{reference}/{name}", timeout=30)
        except urllib.error.HTTPError as error:
            problem = f"manifest unknown: {error}"
        except urllib.error.URLError as error:
            unknown = isinstance(error.reason, ssl.SSLCertVerificationError)
            problem = "x509: certificate signed by unknown authority" if unknown else error.reason
    raise Failed(f"unable to read image {image}: {problem}")


def mirrors(path, image):
    """Returns where else the image may be; mirrors are for digests only."""
    if not path or "@sha256:" not in image:
        return []
    with open(path, encoding="utf-8") as file:
        # It is YAML, and JSON is YAML.
        entries = json.load(file)["spec"]["imageDigestMirrors"]
    name, _, digest = image.partition("@")
    return [f"{mirror}@{digest}" for entry in entries if name == entry["source"] for mirror in entry["mirrors"]]


COMMANDS = {
    ("adm", "release", "extract"): release_extract,
    ("adm", "release", "info"): release_info,
    ("image", "extract"): image_extract,
}

if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Failed as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(1)
