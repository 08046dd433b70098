"""The base ISO: out of the release image where there is an oc, else from the internet, as the real one goes about it."""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

import log
from problems import Refused

# The real one carries the place of its base image in the same way.
BASE_URL = "@ISO_URL@"
BASE_SHA256 = "@ISO_SHA256@"
RELEASES = "quay.io/openshift-release-dev/ocp-release"


def get(install):
    """Returns the base image in the cache, got the first time."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = os.path.join(cache, "agent", "image_cache")
    path = os.path.join(folder, "coreos-x86_64.iso")
    log.info("Extracting base ISO from release payload")
    if not os.path.exists(path) or digest(path) != BASE_SHA256:
        os.makedirs(folder, exist_ok=True)
        if not extracted(install, path):
            log.info("Downloading base ISO")
            download(path)
    log.info(f"Base ISO obtained from release and cached at [{path}]")
    return path


def release():
    """Returns this release's image: the installer is what the lab's images are counted by."""
    return f"{RELEASES}@sha256:{digest(sys.argv[0])}"


def extracted(install, path):
    """Takes the ISO out of the release image, and tells whether that was possible."""
    if not shutil.which("oc"):
        log.warning("Unable to extract base ISO from release payload: oc is not in the PATH")
        return False
    with tempfile.TemporaryDirectory() as folder:
        options = [f"--registry-config={write(folder, 'secret', install['pullSecret'])}"]
        if sources := install.get("imageDigestSources"):
            options.append("--idms-file=" + write(folder, "idms", json.dumps(
                {"apiVersion": "config.openshift.io/v1", "kind": "ImageDigestMirrorSet",
                 "metadata": {"name": "image-digest"}, "spec": {"imageDigestMirrors": sources}})))
        try:
            image = oc("adm", "release", "info", "--image-for=machine-os-images", *options, release())
            oc("image", "extract", f"--path=/coreos/coreos-x86_64.iso:{folder}", "--confirm", *options, image.strip())
        except subprocess.CalledProcessError as error:
            log.warning(f"Failed to extract base ISO from release payload - check registry configuration: "
                        f"{error.stderr.strip()}")
            return False
        keep(os.path.join(folder, "coreos-x86_64.iso"), path, "the release image's ISO")
    return True


def oc(*words):
    return subprocess.run(["oc", *words], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True).stdout


def download(path):
    try:
        with urllib.request.urlopen(BASE_URL, timeout=30) as source, open(path + ".part", "wb") as file:
            shutil.copyfileobj(source, file)
    except (urllib.error.URLError, OSError) as error:
        raise Refused("failed to fetch Agent Installer ISO: failed to generate asset \"BaseIso Image\": failed to "
                      f"get base ISO image {BASE_URL}: {error}") from None
    keep(path + ".part", path, BASE_URL)


def keep(found, path, what):
    if digest(found) != BASE_SHA256:
        raise Refused(f"failed to fetch Agent Installer ISO: checksum mismatch for {what}")
    shutil.move(found, path)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path
