"""Which allocators there are on this machine, where, and in which version."""

import dataclasses
import glob
import os
import subprocess

MYALLOC = "myalloc"
GLIBC = "glibc"
BEFORE = "before"  # our own library at an earlier commit: before, or before:REVISION
BEFORE_COMMIT = "1671c01"  # the last one with heaps of threads

# Name -> patterns below the library directories; the first file that exists is taken.
RIVALS = {
    "jemalloc": ["libjemalloc.so.2"],
    "mimalloc": ["libmimalloc.so.2*", "libmimalloc.so"],
    "tcmalloc": ["libtcmalloc_minimal.so.4"],
    "tbb": ["libtbbmalloc_proxy.so.2"],
    "scudo": ["llvm-*/lib/clang/*/lib/linux/libclang_rt.scudo_standalone-x86_64.so"],
}
KNOWN = [GLIBC, MYALLOC, *RIVALS]
FIT_POLICIES = [f"{MYALLOC}:fit:{policy}" for policy in ("first", "best", "segregated")]
LIBRARY_DIRS = ["/usr/lib/x86_64-linux-gnu", "/usr/lib", "/usr/local/lib"]
LIBC = "/lib/x86_64-linux-gnu/libc.so.6"


@dataclasses.dataclass(frozen=True)
class Allocator:
    """`preload` is a colon-separated LD_PRELOAD, empty for glibc. Its first file serves malloc."""

    name: str
    preload: str
    version: str
    conf: str = ""  # MYALLOC_CONF, for a row of our own library with options

    def serves(self, provider):
        """Whether `provider`, the file that a process calls malloc in, is this allocator."""
        expected = self.preload.split(":")[0] or LIBC
        return os.path.realpath(provider) == os.path.realpath(expected)

    def preload_for(self, brings_own):
        """LD_PRELOAD for a program; one that brings an allocator gets libc as the baseline."""
        return LIBC if brings_own and not self.preload else self.preload


def _output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _package_version(path):
    owner = _output("dpkg-query", "-S", os.path.realpath(path)).split(":")[0]
    return _output("dpkg-query", "-W", "-f", "${Package} ${Version}", owner) if owner else ""


def commit(root):
    """The checked-out commit, with "+changes" when tracked files differ from it."""
    name = _output("git", "-C", root, "rev-parse", "--short=12", "HEAD")
    changed = _output("git", "-C", root, "status", "--porcelain", "--untracked-files=no")
    return (name or "unknown") + ("+changes" if changed else "")


def _find_rival(name):
    for pattern in RIVALS[name]:
        for directory in LIBRARY_DIRS:
            found = sorted(glob.glob(os.path.join(directory, pattern)))
            if found:
                return found[-1]
    return None


def _build_before(name, revision, root):
    """An earlier commit of ours, taken from git and built below build/; or why it cannot be."""
    sha = _output("git", "-C", root, "rev-parse", "--short=12", revision + "^{commit}")
    if not sha:
        return f"git does not know {revision}"
    folder = os.path.join(root, "build", "before-" + sha)
    library = os.path.join(folder, "libmyalloc.so")
    if not os.path.exists(library):
        os.makedirs(folder, exist_ok=True)
        archive = subprocess.run(["git", "-C", root, "archive", sha], capture_output=True,
                                 check=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        built = subprocess.run(["make", "-s", "-j2", "-C", folder, "libmyalloc.so"],
                               capture_output=True, text=True, check=False)
        if built.returncode != 0 or not os.path.exists(library):
            return f"{sha} does not build: {built.stderr.strip()[-200:]}"
    return Allocator(name.replace(":", "-"), library, sha)


def _find_one(name, root):
    """An Allocator, or the reason (a string) why there is none."""
    if name == GLIBC:
        return Allocator(name, "", os.confstr("CS_GNU_LIBC_VERSION") or "glibc")
    if name == MYALLOC or name.startswith(MYALLOC + ":"):
        path = os.path.join(root, "libmyalloc.so")
        if os.path.exists(path):
            return Allocator(name, path, commit(root), name[len(MYALLOC) + 1:])
        return "libmyalloc.so is not built"
    if name in RIVALS:
        path = _find_rival(name)
        return Allocator(name, path, _package_version(path)) if path else "not installed"
    if name == BEFORE or name.startswith(BEFORE + ":"):
        return _build_before(name, name[len(BEFORE) + 1:] or BEFORE_COMMIT, root)
    path = os.path.abspath(name)
    if os.path.isfile(path):
        label = os.path.basename(path).split(".so")[0]
        return Allocator(label, path, "given by path")
    return "no such allocator and no such file"


def find(names, root):
    """Returns (allocators found, {name: why it is skipped}). No names: everything known.

    A name is glibc, myalloc, a rival's, the path of a library, "myalloc:OPTIONS": ours with these
    options, such as "myalloc:fit:best,purge:0"; or "before:REVISION": ours at another commit.
    """
    found, skipped = [], {}
    for name in dict.fromkeys(names or KNOWN):
        one = _find_one(name, root)
        if isinstance(one, Allocator):
            if one.name in (other.name for other in found):  # two files of one name
                one = dataclasses.replace(one, name=one.preload)
            found.append(one)
        else:
            skipped[name] = one
    return found, skipped
