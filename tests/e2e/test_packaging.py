"""What is installed beside the programs: man pages and completion, made from what they say."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import BIN, ROOT

PAGES = sorted(path.name.removesuffix(".in") for path in (ROOT / "packaging/man").glob("*.in"))


def output(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("man")
    for page in PAGES:
        (folder / page).write_text(output(ROOT / "packaging/man/make-man", page, BIN))
    return folder


def rendered(path):
    """As man shows it, on lines long enough for every option."""
    return output("groff", "-man", "-Tutf8", "-K", "utf-8", "-rLL=200n", "-P-cbou", path)


needs_groff = pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")


@needs_groff
@pytest.mark.parametrize("page", PAGES)
def test_no_warnings(pages, page):
    result = subprocess.run(["groff", "-man", "-Tutf8", "-K", "utf-8", "-ww", "-z", pages / page],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert (result.returncode, result.stdout) == (0, "")


@needs_groff
def test_pages_have_every_option(pages):
    """All that the programs take, with what they say of it."""
    for page, help_text in (("pgboostd.8", output(BIN / "pgboostd", "--help")),
                            ("pgboost-worker.8", output(BIN / "pgboost-worker", "--help"))):
        options = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", help_text, re.M))
        text = rendered(pages / page)
        assert len(options) > 5
        assert options <= set(re.findall(r"--[a-z-]+", text))
    names = re.findall(r"^#([a-z_]+) =", output(BIN / "pgboostd", "--example-config"), re.M)
    text = rendered(pages / "pgboostd.conf.5")
    assert len(names) > 10
    assert re.findall(r"^ +([a-z_]+) =", text, re.M) == names


@needs_groff
def test_page_has_every_command(pages):
    overview = output(BIN / "pgboost", "help")
    commands = re.findall(r"^  ([a-z]+) ", overview[:overview.index("Options of every")], re.M)
    text = rendered(pages / "pgboost.1")
    assert re.findall(r"^ +pgboost ([a-z]+)$", text, re.M)[:1] == commands[:1]
    for command in commands:
        assert re.search(rf"^ +pgboost {command}( |$)", text, re.M), command


def complete(*words):
    """What bash would offer for the last word."""
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1));'
              ' read -r _ _ _ _ function _ < <(complete -p "${1##*/}");'
              ' "$function" "$1"; printf "%s\\n" "${COMPREPLY[@]}"')
    return output("bash", "-c", script, "bash", ROOT / "packaging/completion/pgboost",
                  BIN / words[0], *words[1:]).split()


def test_completion():
    assert complete("pgboost", "sta") == ["status"]
    assert set(complete("pgboost", "de")) == {"delete", "deploy", "deployments"}
    assert complete("pgboost", "help", "exp") == ["export"]
    offered = set(complete("pgboost", "deploy", "flights", "--"))
    assert offered >= {"--model", "--strategy", "--json"}
    assert complete("pgboost", "deploy", "--st") == ["--strategy"]
    assert complete("pgboostd", "--list") == ["--listen"]
    assert complete("pgboost", "--dsn", "dbname=shop", "sta") == ["status"]
    assert complete("pgboost", "--dsn", "dbname=shop", "deploy", "--st") == ["--strategy"]
    assert complete("pgboost", "token", "") == ["new"]


def test_completion_has_every_option():
    """Of every command and program, what its help lists as an option."""
    overview = output(BIN / "pgboost", "help")
    commands = re.findall(r"^  ([a-z]+) ", overview[:overview.index("Options of every")], re.M)
    assert len(commands) > 15
    asked = [(("pgboost", command), output(BIN / "pgboost", "help", command))
             for command in commands]
    asked += [((program,), output(BIN / program, "--help"))
              for program in ("pgboostd", "pgboost-worker")]
    for words, help_text in asked:
        rows = re.findall(r"^  (?:-\w, )?(--.*?)(?:  |$)", help_text, re.M)
        options = {option for row in rows for option in re.findall(r"--[a-z-]+", row)}
        assert set(complete(*words, "--")) == options, words


def test_install_and_uninstall(pages, tmp_path):
    """What is installed is there for everybody, and gone again; what others have beside it stays."""
    build, root = tmp_path / "build", tmp_path / "root"
    build.mkdir()
    (build / "bin").symlink_to(BIN)
    (build / "man").symlink_to(pages)
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}

    def make(target):  # of what is built, however it was
        subprocess.run(["make", "-C", ROOT, target, f"BUILD={build}", f"DESTDIR={root}",
                        "prefix=/opt/x"],
                       check=True, env=env, stdout=subprocess.DEVNULL, umask=0o077)

    def files():
        return {str(path.relative_to(root)) for path in root.rglob("*")
                if not path.is_dir()}

    make("install-files")
    installed = files()
    assert installed >= {"opt/x/bin/pgboostd", "opt/x/share/man/man5/pgboostd.conf.5",
                         "opt/x/lib/systemd/system/pgboost-train@.timer",
                         "opt/x/share/bash-completion/completions/pgboost-worker"}
    assert all((root / name).stat().st_mode & 0o044 == 0o044 for name in installed)
    assert "ExecStart=/opt/x/bin/pgboostd\n" in (
        root / "opt/x/lib/systemd/system/pgboostd.service").read_text()
    (root / "opt/x/bin/pgboost-of-others").touch()
    make("uninstall")
    assert files() == {"opt/x/bin/pgboost-of-others"}
