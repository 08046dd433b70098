"""Copies Python and all that the standin package imports into a tree: closure.py PACKAGE-DIR TREE."""
import os
import py_compile
import re
import shutil
import subprocess
import sys

source, tree = sys.argv[1:]
sys.path.insert(0, source)
# Found by importing rather than by reading: what the interpreter itself needs at its start is in there too.
names = [os.path.relpath(os.path.join(folder, name), source).removesuffix(".py").replace("/", ".")
         for folder, _, files in os.walk(f"{source}/standin")
         for name in files if name.endswith(".py") and name not in ("__main__.py", "__init__.py")]
probe = "import sys, encodings.idna, encodings.latin_1, encodings.ascii, runpy, fcntl\n" + \
    "\n".join(f"import {name}" for name in names) + \
    "\nprint('\\n'.join(m.__file__ for m in list(sys.modules.values()) if getattr(m, '__file__', None)))"
listed = subprocess.run([sys.executable, "-S", "-s", "-c", probe], cwd=source, check=True,
                        stdout=subprocess.PIPE, text=True).stdout.split()
listed.append(f"{source}/standin/__main__.py")

home = os.path.dirname(os.__file__)
libraries = {os.path.realpath(sys.executable)}
for path in listed:
    inside = os.path.relpath(path, source if path.startswith(source) else home)
    target = f"{tree}{home}/{inside}"
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if path.endswith(".py"):
        # Without optimisation: tracebacks on the console are worth more than docstrings cost.
        py_compile.compile(path, cfile=target + "c", dfile=inside, doraise=True,
                           invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    else:
        shutil.copy(path, target)
        libraries.add(path)

# Kubelets make their own keys and requests.
shutil.copy("/usr/bin/openssl", f"{tree}/usr/bin/openssl")
libraries.add("/usr/bin/openssl")
shutil.copy(os.path.realpath(sys.executable), f"{tree}/usr/bin/python3")
for binary in sorted(libraries):
    shown = subprocess.run(["ldd", binary], check=True, stdout=subprocess.PIPE, text=True).stdout
    for library in re.findall(r"(/\S+) \(0x", shown):
        os.makedirs(os.path.dirname(tree + library), exist_ok=True)
        shutil.copy(os.path.realpath(library), tree + library)
