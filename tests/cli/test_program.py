"""What a user of doit finds: steps as tasks, with files they depend on and targets."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.build.session import Session
from pipeline.cli import program
from pipeline.cli.graph import TRACKED
from pipeline.cli.tasks import COMMANDS
from pipeline.cli.watch import Watch
from pipeline.errors import PipelineError
from pipeline.plan.step import Input, Source, Step
from pipeline.report import Report
from tests.fixtures import checkout

Doit = Callable[..., tuple[int, str, str]]


def passed(name: str, source: Input, output: str) -> Step:
    """Return a step that passes its input on to people."""
    return Step(name, f"Make {output}.", {output: source}, (output,), published={output: 0o644})


def images(root: Path) -> dict[str, tuple[Step, ...]]:
    """Return two images that share a kernel, one of which ends in an ISO."""
    kernel = passed("kernel:base", Source(root / "text"), "vmlinuz")
    taken = kernel.output("vmlinuz")
    one, two = (passed(f"uki:{name}", taken, f"{name}.efi") for name in ("one", "two"))
    return {"one": (kernel, one, passed("iso:one", one.output("one.efi"), "one.iso")), "two": (kernel, two)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = checkout.write(tmp_path / "checkout")
    (root / "text").write_text("linux")
    return root


@pytest.fixture
def doit(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doit:
    """Return a function that calls ./doit, at the checkout's root: exit status, and what was said."""
    monkeypatch.setenv("INSTALLER_ISO_CACHE", str(root.parent / "cache"))
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(root))
    for name in ("plans", "images"):
        monkeypatch.setattr(Session, name, property(lambda self: images(self.root)))
    monkeypatch.setattr(Session, "disks", {})
    monkeypatch.setattr("pipeline.cli.commands.summarise", lambda _session: None)
    monkeypatch.chdir(root)

    def run(*arguments: str) -> tuple[int, str, str]:
        status = program.run(root, arguments)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def there(root: Path) -> list[str]:
    """Return the files below artifacts/."""
    folder = root / "artifacts"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def steps(said: str) -> dict[str, str]:
    """Return what was said of each step."""
    return {line.split()[1]: line.split()[2] for line in said.splitlines() if line[:1] in ("✓", "✗")}


ALL = ["one/one.efi", "one/one.iso", "one/vmlinuz", "two/two.efi", "two/vmlinuz"]
NAMES = ["kernel:base", "uki:one", "iso:one", "uki:two"]


FOR_BUILDS = "works with `./doit iso`, `./doit image`, `./doit boot`, `./doit boot-test` and steps only"


def test_one_image_is_built_alone(root: Path, doit: Doit, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("pipeline.cli.commands._tell_image", lambda _, image, __: told.append(image))
    status, said, _ = doit("image", "two", "--offline")
    assert (status, list(steps(said)), told) == (0, ["kernel:base", "uki:two"], ["two"])
    assert there(root) == ["one/vmlinuz", "two/two.efi", "two/vmlinuz"]
    status, said, _ = doit("image", "two", "one", "two")
    assert (status, list(steps(said)), told[1:]) == (0, ["iso:one", "uki:one"][::-1], ["two", "one"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            [],
            "no recipe is named\n  hint: name one of one, two; `./doit iso` makes all media\n",
        ),
        (["two", "kernel"], "'kernel' is not a recipe\n  hint: name one of one, two\n"),
    ],
)
def test_an_image_that_is_not_there(root: Path, doit: Doit, words: list[str], said: str) -> None:
    assert doit("image", *words) == (1, "", f"error: {said}")
    assert there(root) == []


def test_no_package_is_searched_for_plugins(doit: Doit, monkeypatch: pytest.MonkeyPatch) -> None:
    def search(**_: str) -> None:
        raise AssertionError

    monkeypatch.setattr("doit.plugin.entry_points", search)
    assert doit("list")[0] == doit("iso")[0] == 0


@pytest.mark.parametrize("how", [[], ["iso"], ["-n", "4", "iso"], ["-n", "0"], ["kernel", "uki", "iso:one"]])
def test_what_is_built_lies_in_its_images_and_nothing_else_does(
    root: Path, doit: Doit, how: list[str]
) -> None:
    status, said, errors = doit(*how)
    assert (status, errors, there(root)) == (0, "", ALL)
    assert set(steps(said)) == set(NAMES)
    assert set(steps(doit(*how)[1]).values()) == {"unchanged"}
    assert there(root) == ALL


def test_a_time_hides_no_change(root: Path, doit: Doit) -> None:
    doit()
    before = (root / "text").stat()
    (root / "text").write_text("LINUX")
    os.utime(root / "text", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "unchanged" not in steps(doit()[1]).values()
    assert (root / "artifacts/one/one.iso").read_text() == "LINUX"
    (root / "text").touch()
    assert set(steps(doit()[1]).values()) == {"unchanged"}


@pytest.mark.parametrize(
    ("where", "target"),
    [
        (".", "artifacts/two/two.efi"),
        ("artifacts/..", "artifacts/two/two.efi"),
        ("recipes", "../artifacts/two/two.efi"),
    ],
)
def test_a_target_is_a_task(
    root: Path, doit: Doit, monkeypatch: pytest.MonkeyPatch, where: str, target: str
) -> None:
    monkeypatch.setenv("INSTALLER_ISO_CALLED_FROM", str(root / where))
    assert list(steps(doit(target)[1])) == ["kernel:base", "uki:two"]
    assert doit("clean", target)[0] == 0
    assert there(root) == ["one/vmlinuz", "two/vmlinuz"]


def test_the_files_that_a_step_depends_on(doit: Doit) -> None:
    assert doit("list", "--all", "--deps", "kernel", "uki")[1].splitlines() == [
        "kernel    Make vmlinuz.",
        " -  text",
        "",
        "uki       Make one.efi.",
        "",
        "uki:one   Make one.efi.",
        " -  artifacts/one/vmlinuz",
        "",
        "uki:two   Make two.efi.",
        " -  artifacts/one/vmlinuz",
        "",
    ]


@pytest.mark.parametrize("name", ["kernel", "kernel:base", "artifacts/one/vmlinuz"])
def test_what_is_known_of_a_task(doit: Doit, name: str) -> None:
    status, said, _ = doit("info", name)
    assert status == 1  # it has to run
    assert "the result for the key of step kernel:base, and what it publishes" in said
    assert said.endswith("targets    : \n - artifacts/one/vmlinuz\n - artifacts/two/vmlinuz\n")
    doit("kernel")
    assert "status     : up-to-date" in doit("info", name)[1]


@pytest.mark.parametrize(
    ("cleaned", "left"),
    [
        (["iso"], ["one/one.efi", "one/vmlinuz", "two/two.efi", "two/vmlinuz"]),
        (["uki:one", "kernel"], ["one/one.iso", "two/two.efi"]),
        (["-n"], ALL),
        ([], []),
    ],
)
def test_cleaning_removes_targets_and_nothing_from_the_cache(
    root: Path, doit: Doit, cleaned: list[str], left: list[str]
) -> None:
    doit()
    assert doit("clean", *cleaned)[0] == 0
    assert there(root) == left
    said = steps(doit()[1])
    assert (set(said.values()) <= {"unchanged", "cached"}, there(root)) == (True, ALL)


@pytest.mark.parametrize(
    ("forgotten", "made"),
    [
        (["kernel"], {"kernel:base"}),
        (["uki"], {"uki:one", "uki:two"}),
        (["uki:two"], {"uki:two"}),
        ([], {"iso:one"}),
        (["-s", "iso:one"], {"kernel:base", "uki:one", "iso:one"}),
        (["--all"], set(NAMES)),
    ],
)
def test_what_is_forgotten_is_made_again(doit: Doit, forgotten: list[str], made: set[str]) -> None:
    doit()
    status, _, errors = doit("forget", *forgotten)
    assert (status, errors) == (0, "")
    said = steps(doit()[1])
    assert {name for name, what in said.items() if what not in ("unchanged", "cached")} == made


def test_cleaning_an_image_removes_what_was_said_of_it(root: Path, doit: Doit) -> None:
    doit()
    (root / "artifacts/one/build.json").touch()
    assert doit("clean", "iso")[1] == (
        "iso - removing file 'artifacts/one/build.json'\niso:one - removing file 'artifacts/one/one.iso'\n"
    )


def test_a_step_that_fails_forgets_nothing(root: Path, doit: Doit) -> None:
    doit()
    results = sorted(path.name for path in (root.parent / "cache/results").iterdir())
    (root / "artifacts/one/one.iso").unlink()
    (root / "artifacts/one/one.iso").mkdir()
    status, _, errors = doit()
    assert (status, errors.startswith("error: ")) == (1, True)
    assert sorted(path.name for path in (root.parent / "cache/results").iterdir()) == results


def test_a_file_that_is_missing_is_told_by_the_step(root: Path, doit: Doit) -> None:
    (root / "text").unlink()
    status, _, errors = doit()
    assert status == 1
    assert errors == f"error: {root}/text: no such file or folder; step kernel:base needs it\n"


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["lock", "--offline"], "--offline"),
        (["vendor", "x.tar", "--inputs", "y.tar"], "--inputs"),
        (["clean", "--inputs=y.tar", "--offline"], "--inputs"),
    ],
)
def test_without_network_one_builds(root: Path, doit: Doit, arguments: list[str], option: str) -> None:
    said = f"error: {option} {FOR_BUILDS}\n"
    assert doit(*arguments) == (3, "", f"{said}  hint: leave it out\n")
    assert doit("--inputs", "y.tar")[0::2] == (
        1,
        f"error: {root}/y.tar: no such file\n  hint: `./doit vendor FILE` makes one of the present locks\n",
    )
    (root / "y.tar").touch()
    for allowed in ([], ["iso"], ["kernel"]):
        assert doit(*allowed, "--offline", "--inputs", "y.tar")[0] == 0  # nothing is needed of it


@pytest.mark.parametrize(
    "arguments", [["boot-test", "--debug"], ["--debug", "iso", "bench"], ["clean", "--debug"]]
)
def test_images_that_talk_are_for_those_who_look(root: Path, doit: Doit, arguments: list[str]) -> None:
    said = "error: --debug works with `./doit iso` and `./doit boot` only\n  hint: leave it out\n"
    assert doit(*arguments) == (3, "", said)
    for allowed in ([], ["iso"], ["kernel"]):
        assert doit(*allowed, "--debug")[0] == 0
    assert (root / "artifacts/debug/one/one.iso").exists()


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["cache", "push", "x", "--key", "k"], ["cache", "--key=k", "push", "x"]),
        (["cache", "push", "--fetch", "x"], ["cache", "--fetch", "push", "x"]),
        (["cache", "push", "x", "--key="], ["cache", "--key=", "push", "x"]),
        (["cache", "--fetch", "push", "x"], ["cache", "--fetch", "push", "x"]),
        (["lock", "outputs", "--check"], ["lock", "--check", "outputs"]),
        (["cache", "push", "x", "--kay"], ["cache", "push", "x", "--kay"]),
        (["gc", "kernel", "--days", "1"], ["gc", "kernel", "--days", "1"]),
        (["kernel", "-n", "2"], ["kernel", "-n", "2"]),
        ([], []),
    ],
)
def test_options_of_a_command_may_stand_behind_its_words(words: list[str], first: list[str]) -> None:
    assert program.options_first(words) == first


@pytest.mark.parametrize("command", ["list", "gc", "lock"])
def test_from_source_is_for_builds(doit: Doit, command: str) -> None:
    said = f"--from-source {FOR_BUILDS}"
    assert doit(command, "--from-source") == (3, "", f"error: {said}\n  hint: leave it out\n")
    said = "--from-source does not go with --offline: outputs are taken from an archive, too"
    assert doit("--from-source", "--offline") == (3, "", f"error: {said}\n  hint: leave it out\n")
    for allowed in ([], ["iso"], ["kernel"]):
        assert doit(*allowed, "--from-source")[0] == 0


def test_a_terminal_that_hangs_up_ends_it_once(doit: Doit) -> None:
    before = {each: signal.getsignal(each) for each in (signal.SIGHUP, signal.SIGTERM)}
    try:
        doit("list")
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        doit("list")  # as nohup has it
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def test_help_of_a_task(doit: Doit) -> None:
    assert doit("help", "iso")[1].startswith("iso  build artifacts/<recipe>/<recipe>.iso")
    assert doit("help", "kernel:base")[1] == "kernel  Make vmlinuz.\n"


def test_a_step_that_is_called_like_a_command(doit: Doit, monkeypatch: pytest.MonkeyPatch) -> None:
    clash = (Step("boot:one", "", {}, ()), Step("clean:one", "", {}, ()))
    monkeypatch.setattr(Session, "plans", {"one": clash})
    assert doit()[2].splitlines()[:2] == [
        "error: a step is called 'boot', as a command is",
        "a step is called 'clean', as a command is",
    ]


@pytest.mark.parametrize("arguments", [["lock", "outputs"], ["reproduce"], ["bench"], ["watch", "iso"]])
def test_what_proves_or_writes_down_pins_takes_no_unpinned_file(
    doit: Doit, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Watch, "_execute", lambda _: pytest.fail("it watches, which ends with Ctrl-C alone"))
    status, _, said = doit(*arguments, "--kernel", "text")
    assert status == 3
    assert said == "error: --kernel works with `./doit iso` only\n  hint: leave it out\n"


@pytest.mark.parametrize(
    "arguments", [["iso"], ["boot"], ["reproduce"], ["explain", "kernel"], ["shell", "kernel"]]
)
def test_nothing_is_made_of_other_sources_than_the_manifest_names(
    root: Path, doit: Doit, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(_session: Session) -> None:
        raise PipelineError("another commit")

    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("pipeline.cli.commands.tell_untracked", other)
    monkeypatch.setattr(Session, "media", property(lambda self: {"toy": images(self.root)["one"]}))
    assert doit(*arguments) == (1, "", "error: another commit\n")
    assert there(root) == []


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["iso", "--deb"], "debug"),
        (["boot", "--deb"], "debug"),
        (["iso", "--from-s"], "from-source"),
        (["iso", "--kern", "text"], "kernel"),
        (["iso", "--installer", "text", "--installer=text"], "installer"),
    ],
)
def test_an_option_that_decides_what_is_built_is_written_once_in_full(
    root: Path, doit: Doit, arguments: list[str], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        doit(*arguments)
    assert (caught.value.code, there(root)) == (1, [])
    assert capsys.readouterr().err == (
        f"error: --{option} is abbreviated, or there twice\n  hint: write `--{option}` once, in full\n"
    )


def test_a_file_to_pin_is_no_task_though_it_is_a_target() -> None:
    names = {"/here/artifacts/one.iso": "iso:one", "iso:one": "iso:one"}
    assert program.called(["pin", "x", "/here/artifacts/one.iso"], names) == [
        "pin",
        "x",
        "/here/artifacts/one.iso",
    ]
    assert program.called(["/here/artifacts/one.iso"], names) == ["iso:one"]


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["boot-test", "--image", "host"], "host"),
        (["boot-test", "--image=host", "--all"], "host"),
        (["boot-test", "--only", "cd"], ""),
        (["boot-test", "--image"], ""),
        ([], ""),
    ],
)
def test_the_value_of_an_option(words: list[str], value: str) -> None:
    assert program.value_of("--image", words) == value


def test_nothing_of_other_recipes_is_made_for_one_that_is_named(tmp_path: Path) -> None:
    needs = COMMANDS["boot-test"].needs
    all_of_them, one = (Session(tmp_path, Report(), image=image) for image in ("", "host"))
    assert needs(all_of_them, {"iso:x": "iso:x"}) == ["iso"]
    assert needs(one, {"iso:x": "iso:x"}) == [TRACKED]


def test_long_stories_are_told(doit: Doit, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []
    monkeypatch.setattr("pipeline.cli.boot_test.judge", lambda *_, **__: None)
    monkeypatch.setattr("pipeline.cli.boot_test.boot_test", lambda _, **options: asked.append(options))
    for image, words in {"": [], "two": ["--image", "two"]}.items():
        assert doit("boot-test", *words, "--all")[0] == 0
        assert asked.pop() == {"only": "", "image": image, "everything": True, "accel": "auto", "seed": 0}
