"""Notebooks and the workflow: what is committed, and what an interruption leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import papermill
import psutil
import pytest
from filelock import FileLock, Timeout
from snakemake.cli import parse_config
from snakemake.utils import format as snakemake_format

from reproduce.batch import done, parent, process, required, workflow
from reproduce.batch.drawing import draw_notebook
from reproduce.batch.notebook_files import NOTEBOOK_FILES
from reproduce.batch.process import WorkflowError
from reproduce.experiments import compare
from reproduce.runs.preset import as_written, load_preset
from reproduce.runs.preset_file import toml
from reproduce.runs.preset_found import preset_names
from snnlib.checks import InputError
from snnlib.store.files import StoreError, sha256, write
from snnlib.store.paths import NOTEBOOKS, ROOT, build_dir, figures_dir, published_dir
from snnlib.store.sums import ENDING, sums, write_summed


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_a_notebook_is_executed_short_and_has_one_parameters_cell(path: Path) -> None:
    notebook = json.loads(path.read_text())
    cells = notebook["cells"]
    assert len(cells) <= 16  # to be read
    tagged = [c for c in cells if "parameters" in c["metadata"].get("tags", [])]
    assert len(tagged) == 1
    assert all("#" in line for line in tagged[0]["source"])  # a comment each
    assert all(c["execution_count"] for c in cells if c["cell_type"] == "code")
    assert not any(o["output_type"] == "error" for c in cells for o in c.get("outputs", []))
    assert "widgets" not in notebook["metadata"]  # stale state of a kernel that is gone
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"


def snakefile(name: str, **config: object) -> dict[str, Any]:
    """What the Snakefile says at a preset, above its first rule; ``config``: of a profile."""
    namespace: dict[str, Any] = {"config": {"preset": name, **config}}
    exec((ROOT / "Snakefile").read_text().split("\nrule ")[0], namespace)
    return namespace


def test_every_notebook_is_drawn_and_all_of_its_files_are_published_and_no_others() -> None:
    assert set(NOTEBOOK_FILES) == {path.stem for path in NOTEBOOKS.glob("*.ipynb")}
    files = [file for notebook in NOTEBOOK_FILES.values() for file in notebook]
    assert len(files) == len(set(files))
    published = (published_dir() / "smoke").iterdir()
    assert set(files) == {path.name for path in published if path.is_file() and path.suffix != ENDING}
    # What a notebook reads that another one drew has to be drawn first.
    drawn = [file for notebook, own in NOTEBOOK_FILES.items() for file in own if notebook != "claims"]
    csv = {file for file in drawn if file.endswith(".csv")}
    assert {Path(path).name for path in snakefile("smoke")["needed"]("claims")} == csv


def test_the_claims_follow_what_was_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNNLIB_FIGURES", str(tmp_path))
    monkeypatch.setattr(process, "snakemake", lambda *_: 0)
    smoke = load_preset("smoke")
    assert workflow.figures(smoke).startswith("nothing to do")

    def draw(*_: object) -> int:
        write_summed({tmp_path / "smoke" / "claims.csv": "claim,section,verdict\nit rises,3.1,partly\n"})
        return 0

    monkeypatch.setattr(process, "snakemake", draw)
    first, file, others, where, blank, verdicts, *rest = workflow.figures(smoke).split("\n")
    assert (first[:8], file, blank, verdicts) == ("drawn in", "  claims.csv", "", "partly: it rises (3.1)")
    assert others == f"up to date: {', '.join(name for name in NOTEBOOK_FILES if name != 'claims')}"
    assert str(build_dir() / "smoke") in where
    assert rest[0].startswith("1 partly; measured values: ")
    assert rest[-2:] == [
        compare.report("smoke", compare.UNLIKE).splitlines()[-1],
        f"each of these numbers: python -m reproduce compare --preset smoke --out {tmp_path}",
    ]
    monkeypatch.setattr(process, "snakemake", lambda *_: 0)
    assert "verdict" not in workflow.figures(smoke, "trained")  # runs alone were asked for
    command = "python -m reproduce compare --preset smoke"
    monkeypatch.setenv("SNNLIB_FIGURES", "figures/elsewhere")  # beside the usual folder
    assert workflow.figures(smoke).endswith(f"{command} --out {ROOT / 'figures' / 'elsewhere'}")
    monkeypatch.delenv("SNNLIB_FIGURES")
    assert workflow.figures(smoke).endswith(command)


def test_only_one_workflow_runs_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNNLIB_BUILD", str(tmp_path))
    for look in ("refuse_damaged_publications", "jobs", "claimed", "not_as_they_look"):
        monkeypatch.setattr(workflow, look, None)  # nothing is looked at, let alone moved, beside the other one
    with FileLock(tmp_path / "workflow.lock"), pytest.raises(WorkflowError, match="another `make figures`"):
        workflow.figures(load_preset("smoke"))
    (tmp_path / "workflow.lock").unlink()
    (tmp_path / "workflow.lock").mkdir()
    with pytest.raises(StoreError, match="workflow.lock: a folder, where a file belongs"):
        workflow.figures(load_preset("smoke"))


@pytest.mark.parametrize(("host", "job", "ends"), [("here", "", True), ("here", "17", False), ("elsewhere", "", False)])
def test_only_what_runs_where_the_workflow_does_ends_with_it(
    monkeypatch: pytest.MonkeyPatch, host: str, job: str, ends: bool
) -> None:
    """A cluster's jobs inherit the variable; the number in it is nobody's, or another one's, where they run."""
    began: list[object] = []
    monkeypatch.setattr(parent.platform, "node", lambda: "here")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv(parent.VARIABLE, parent.ending_with_this({})[parent.VARIABLE])
    monkeypatch.setattr(parent.platform, "node", lambda: host)
    monkeypatch.setenv("SLURM_JOB_ID", job)
    monkeypatch.setattr(parent.threading, "Thread", lambda **_: began.append(1) or SimpleNamespace(start=lambda: None))
    parent.end_with_parent()
    assert bool(began) == ends


JOB = """
from pathlib import Path
import time
from reproduce.batch.parent import end_with_parent
end_with_parent()
Path("at_work").touch()
time.sleep(60)
"""
WORKFLOW = """
import os, signal, sys
from reproduce.batch import process
signal.signal(signal.SIGTERM, signal.default_int_handler)  # as the command line has it
folder = os.environ["SNNLIB_BUILD"] = sys.argv[1]
process.snakemake(["--snakefile", f"{folder}/Snakefile", "--directory", folder, "--cores", "1", "--nolock"])
"""


@pytest.mark.parametrize(
    ("how", "before"),
    [
        (signal.SIGKILL, signal.SIG_DFL),
        pytest.param(signal.SIGINT, signal.SIG_DFL, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, signal.SIG_IGN, marks=pytest.mark.slow),  # Ctrl-C is, in a script's background
        pytest.param(signal.SIGTERM, signal.SIG_DFL, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, signal.SIG_IGN, marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_what_a_workflow_started_ends_with_it(tmp_path: Path, how: signal.Signals, before: signal.Handlers) -> None:
    """Its jobs, and the process that holds the lock: another workflow can begin at once, and has nobody beside it."""
    (tmp_path / "job.py").write_text(JOB)
    (tmp_path / "Snakefile").write_text(f'rule all:\n    output: "never"\n    shell: "{sys.executable} job.py"\n')
    process = subprocess.Popen(
        [sys.executable, "-c", WORKFLOW, str(tmp_path)], cwd=ROOT, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, before), env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(lambda: (tmp_path / "at_work").exists())
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 2
    with pytest.raises(Timeout):
        FileLock(tmp_path / "workflow.lock").acquire(timeout=0)
    process.send_signal(how)
    _, alive = psutil.wait_procs(family, timeout=30)  # before anybody has asked after the one that started them
    assert not alive
    process.wait(timeout=30)
    FileLock(tmp_path / "workflow.lock").acquire(timeout=0)  # nobody holds it


def test_an_interruption_of_the_last_look_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left then that it could be passed on to."""

    def look() -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("SNNLIB_BUILD", str(tmp_path))
    monkeypatch.setattr(process, "sys", SimpleNamespace(executable=shutil.which("true")))
    with pytest.raises(KeyboardInterrupt):
        process.snakemake([], look)


def test_snakemake_writes_down_its_plan_and_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Only what is out of date is in the plan; the screen is for what readers are told."""
    (tmp_path / "Snakefile").write_text(
        "rule all:\n    input: 'a', 'b'\n"
        "rule one:\n    output: 'a'\n    shell: 'echo hello; touch {output}'\n"
        "rule two:\n    output: 'b'\n    shell: 'touch {output}'\n"
    )
    (tmp_path / "b").touch()
    monkeypatch.setenv("SNNLIB_BUILD", str(tmp_path))
    monkeypatch.setattr(process, "EVERY", 0.1)
    looks: list[bool] = []
    code = process.snakemake(
        ["--snakefile", f"{tmp_path}/Snakefile", "--directory", str(tmp_path), "--cores", "1", "--nolock"],
        lambda: looks.append((tmp_path / "a").exists()),
    )
    assert code == 0
    assert set(json.loads((tmp_path / "plan.json").read_text())) == {"all", "one", "total"}
    assert "hello" in (tmp_path / "snakemake.log").read_text()
    assert capfd.readouterr() == ("", "")
    assert (looks[0], looks[-1]) == (False, True)  # while it works, and when it is through


def test_what_is_damaged_or_edited_is_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Snakemake looks at times; it is told of what only looks done."""
    monkeypatch.setenv("SNNLIB_FIGURES", str(tmp_path / "figures"))
    monkeypatch.setenv("SNNLIB_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(done, "incomplete", lambda _: [])
    p = load_preset("smoke")
    files = [file for name in NOTEBOOK_FILES for file in done.outputs(p, name) if file.suffix != ENDING]
    assert len(files) == sum(len(own) + 1 for own in NOTEBOOK_FILES.values())
    evaluation = tmp_path / "runs" / "accuracy.json"
    write(evaluation, "{}")
    write_summed({file: f"{file.name} is whole\n" for file in files}, {evaluation: sha256(evaluation)})
    assert done.not_as_they_look(p, ()) == []
    folder = tmp_path / "figures" / "smoke"
    emptied, cut, edited, copy, unknown, missing = (
        folder / "fig2_accuracy_vs_timesteps.png", folder / "method.svg", folder / "fig5_alpha.csv",
        tmp_path / "build" / "smoke" / "beyond.ipynb", folder / "runs.csv", folder / "fig7_silence.md",
    )  # fmt: skip
    emptied.write_bytes(b"")
    cut.write_text("method.svg is")
    edited.write_text(edited.read_text().replace("whole", "0.99"))
    copy.write_text("{}")
    sums(unknown).unlink()
    missing.unlink()  # of which Snakemake knows itself
    assert set(done.not_as_they_look(p, ())) == set(map(str, (emptied, cut, edited, copy, unknown)))
    assert done.not_as_they_look(p, ["trained"]) == []  # nobody asked for figures
    assert done.not_as_they_look(p, ["method"]) == [str(cut)]


def test_what_was_made_from_other_runs_or_by_somebody_else_is_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNNLIB_FIGURES", str(tmp_path / "figures"))
    monkeypatch.setenv("SNNLIB_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(done, "incomplete", lambda _: [])
    p = load_preset("smoke")
    files = [file for file in done.outputs(p, "fig2_accuracy_vs_timesteps") if file.suffix != ENDING]
    evaluation = tmp_path / "runs" / "accuracy.json"
    write(evaluation, "{}")
    write_summed(dict.fromkeys(files, "drawn"), {evaluation: sha256(evaluation)})
    assert done.not_as_they_look(p, ["fig2_accuracy_vs_timesteps"]) == []
    copied, drawn = files[1:], list(map(str, files[1:]))  # the first is the executed notebook
    evaluation.write_text('{"another": "store"}')
    assert done.not_as_they_look(p, ["fig2_accuracy_vs_timesteps"]) == list(map(str, files))
    write_summed(dict.fromkeys(copied, "published"))  # with sums, but of no runs that are here
    assert done.not_as_they_look(p, ["fig2_accuracy_vs_timesteps"])[-len(drawn) :] == drawn


def test_it_is_told_which_figures_wait_for_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SNNLIB_FIGURES", str(tmp_path / "figures"))
    monkeypatch.setenv("SNNLIB_BUILD", str(tmp_path / "build"))
    p = load_preset("smoke")
    first, *_ = p.runs("fig6_noise_type")
    caplog.set_level("INFO")
    monkeypatch.setattr(done, "incomplete", lambda _: [first])
    done.not_as_they_look(p, ["fig6_noise_type", "fig7_potential_dynamics"])
    assert caplog.messages == [f"runs that figures wait for: fig6_noise_type 1 of {len(p.runs('fig6_noise_type'))}"]
    caplog.clear()
    monkeypatch.setattr(done, "incomplete", lambda _: [])
    done.not_as_they_look(p, ["fig6_noise_type"])
    assert caplog.messages == []


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "nowhere"])
def test_what_is_no_file_is_moved_out_of_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """Snakemake would copy it before a job, which has no end, or fail."""
    monkeypatch.setenv("SNNLIB_FIGURES", str(tmp_path / "figures"))
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SNNLIB_BUILD", str(tmp_path / "build"))
    p = load_preset("smoke")
    run = next(iter(p.all_runs().values()))
    paths = [p.evaluations(run)[0].file(run), tmp_path / "figures" / "smoke" / "method.sha256"]
    for path in paths:
        path.parent.mkdir(parents=True)
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to("/dev/zero" if kind == "device" else "/nowhere")
    assert done.not_as_they_look(p, ()) == []
    for path in paths:
        assert f"{path}: no file, where one belongs; moved to" in caplog.text
        assert not os.path.lexists(path)
        assert os.path.lexists(path.parent / "damaged" / "1" / path.name)


def test_a_path_may_hold_whatever_a_shell_reads_as_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs' commands, with folders of such names in them, are run by a shell that prints its words."""
    folder = tmp_path / "it's $HOME; & (a *) > b"
    folder.mkdir()
    monkeypatch.setenv("SNNLIB_BUILD", str(folder))
    said = snakefile("smoke")
    files = {name: folder / f"job.{name}" for name in ("status", "log")}
    files["status"].write_text("137")
    command = (said["ARMED"] + " {log:q}" + said["LEFT"]).replace("python -X faulthandler -m reproduce", "false")
    resources = SimpleNamespace(gpu=0)
    shown = snakemake_format(command, params=SimpleNamespace(**files), log=files["log"], resources=resources)
    subprocess.run(["bash", "-euo", "pipefail", "-c", shown], cwd=tmp_path)
    assert files["status"].read_text() == "1\n"
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


@pytest.mark.parametrize("name", ["2024", "1e5", "True", "null", "a.b-c", "smoke"])
def test_snakemake_takes_any_preset_for_its_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr(process, "snakemake", lambda arguments, look: given.extend(arguments) or 0)
    monkeypatch.setattr(workflow, "not_as_they_look", lambda *_: [])
    workflow.figures(load_preset("smoke").model_copy(update={"name": name}), "trained")
    assert parse_config([given[given.index("--config") + 1]]) == {"preset": name}


def test_jobs_and_notebooks_are_given_the_path_of_a_preset_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / 'it\'s a: #1 "q" = $HOME ä' / "mine.toml"
    file.parent.mkdir()
    file.write_text(toml(as_written("smoke", ["width=0.03"])), encoding="utf-8")
    monkeypatch.setenv("SNNLIB_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(workflow, "not_as_they_look", lambda *_: [])
    given: list[str] = []
    monkeypatch.setattr(process, "snakemake", lambda arguments, look: given.extend(arguments) or 0)
    workflow.figures(load_preset(str(file)), "trained")
    config = parse_config([given[given.index("--config") + 1]])
    assert config == {"preset": str(file)}
    said = snakefile(config["preset"])
    assert said["PRESET"] == load_preset(str(file))
    assert (said["FIGURES"], said["LOGS"]) == (figures_dir() / "mine", tmp_path / "build" / "mine")
    shown = snakemake_format("{params.preset:q}", params=SimpleNamespace(preset=said["PRESET"].given))
    assert subprocess.run(["bash", "-c", f"printf %s {shown}"], capture_output=True, text=True).stdout == str(file)

    def note(_: Path, copy: Path, parameters: dict[str, Any], **__: Any) -> None:
        given.append(parameters["preset"])
        copy.write_text("")

    monkeypatch.setattr(papermill, "execute_notebook", note)
    draw_notebook("method", load_preset(str(file)))
    assert given[-1] == str(file)


def _with_density(content: dict[str, Any]) -> None:
    content["notebooks"]["fig3_4_training_time"][0]["arms"].append("density")


def _without_uniform(content: dict[str, Any]) -> None:
    content["notebooks"]["fig6_noise_type"][0]["arms"].remove("uniform")


def _with_four_steps(content: dict[str, Any]) -> None:
    content["evaluation"]["timesteps"] = 4
    del content["notebooks"]["fig3_4_training_time"]  # which would be refused before


@pytest.mark.parametrize(
    ("change", "notebook", "words"),
    [
        (_with_density, "fig3_4_training_time", "net cnn, arm = 'density': must be one of ours, direct"),
        (_without_uniform, "fig6_noise_type", "net cnn: has no arm uniform; must have ours and uniform"),
        (_with_four_steps, "table2_inference_time", "evaluation.timesteps = 4: must be at least 10"),
    ],
)
def test_what_a_notebook_cannot_draw_is_refused_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], None], notebook: str, words: str
) -> None:
    content = as_written("smoke")
    change(content)
    file = tmp_path / "mine.toml"
    file.write_text(toml(content), encoding="utf-8")
    monkeypatch.setenv("SNNLIB_BUILD", str(tmp_path / "build"))
    begun: list[str] = []
    monkeypatch.setattr(process, "snakemake", lambda arguments, look: begun.append(arguments[0]) or 0)
    monkeypatch.setattr(workflow, "not_as_they_look", lambda *_: [])
    for targets in ((), ("all",), ("trained",), (notebook, "method")):
        with pytest.raises(InputError, match=f"preset mine, notebook {notebook}, {words}"):
            workflow.figures(load_preset(str(file)), *targets)
    workflow.figures(load_preset(str(file)), "method")
    assert begun == ["method"]


@pytest.mark.parametrize("name", preset_names())
def test_the_presets_that_ship_have_what_their_notebooks_require(name: str) -> None:
    required.check_required(load_preset(name), ())


@pytest.mark.parametrize("variable", ["SNNLIB_RUNS", "SNNLIB_FIGURES", "SNNLIB_BUILD"])
def test_folders_that_snakemake_cannot_have_are_refused(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "/tmp/{a}")
    with pytest.raises(InputError, match=rf"{variable} = /tmp/{{a}}: must be without braces"):
        workflow.figures(load_preset("smoke"))
    monkeypatch.delenv(variable)
    with pytest.raises(InputError, match="preset = /tmp/{a}/mine.toml: must be without braces"):
        workflow.figures(load_preset("smoke").model_copy(update={"file": Path("/tmp/{a}/mine.toml")}))


def wait_for(true: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)
