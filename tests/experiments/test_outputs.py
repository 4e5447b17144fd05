"""Results reach files under names that say what was changed, and the published ones only on purpose."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reproduce.batch.notebook_files import NOTEBOOK_FILES
from reproduce.experiments.changed import is_changed
from reproduce.experiments.method import plot as fig1
from reproduce.experiments.outputs import Outputs
from reproduce.experiments.style import figure, style
from snnlib.checks import InputError
from snnlib.store import paths, published
from snnlib.store.files import DamagedError
from snnlib.store.sums import ENDING, verified, write_summed

TABLE = pd.DataFrame({"timesteps": [1, 10], "accuracy": [0.1, 0.5]})


def drawn(title: str = "A title") -> Figure:
    fig = figure(2)
    with style():
        fig.subplots().plot(TABLE.timesteps, TABLE.accuracy)
        if title:
            fig.suptitle(title)
    return fig


def test_a_figure_and_its_table_have_the_same_bytes_each_time(tmp_path: Path) -> None:
    files = []
    for _ in range(2):
        written = Outputs(tmp_path).write_figure(drawn(), TABLE, "f")
        files.append({path.name: path.read_bytes() for path in written})
    assert files[0] == files[1]
    assert set(files[0]) == {"f.csv", "f.svg", "f.png"}
    assert {path.name for path in tmp_path.iterdir()} == {*files[0], "f.sha256"}
    subprocess.run(
        ["sha256sum", "--check", "--strict", "f.sha256"], cwd=tmp_path, check=True
    )  # somebody else's reading
    assert pd.read_csv(tmp_path / "f.csv").equals(TABLE)


def test_only_the_csv_of_a_table_names_runs(tmp_path: Path) -> None:
    table = TABLE.head(1).assign(run="a-net", our_runs="a-net b-net")
    out = Outputs(tmp_path)
    assert [path.name for path in out.write_table(table, "t")] == ["t.csv", "t.md"]
    assert {"run", "our_runs"} <= set(pd.read_csv(tmp_path / "t.csv"))
    head, _, row = (tmp_path / "t.md").read_text().splitlines()
    assert "accuracy" in head
    assert "run" not in head
    assert "-net" not in row
    out.write_table(table, "t", table[["timesteps"]])
    assert (tmp_path / "t.md").read_text().splitlines()[0] == "|   timesteps |"
    out.write_table(table, "t", "for readers\n")
    assert (tmp_path / "t.md").read_text() == "for readers\n"


def test_what_was_written_is_said_once_from_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SNNLIB_FIGURES", raising=False)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    out = Outputs(paths.figures_dir() / "smoke")
    assert out.written == "nothing written"
    for _ in range(2):  # a cell may be run again
        out.write_figure(drawn(), TABLE, "f")
        out.write_csv(TABLE, "f_terms")
    assert out.written == "written: figures/mine/smoke/f.{csv,svg,png}, f_terms.csv"
    elsewhere = Outputs(Path("/somewhere"), {}, {"f": ["csv"]})
    assert elsewhere.written == "written: /somewhere/f.csv"


def test_what_is_changed_is_in_name_title_and_csv_and_the_default_stays(tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in Outputs(tmp_path).write_figure(drawn(), TABLE, "method")}
    fig = drawn()
    out = Outputs(tmp_path, {"timesteps": 20, "alpha": 2.5})
    for _ in range(2):  # the title's line is there once
        written = out.write_figure(fig, TABLE, "method")
    assert {path.name for path in written} == {f"method-timesteps20-alpha2.5.{e}" for e in ("csv", "svg", "png")}
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert fig.get_suptitle() == "A title\nchanged: timesteps = 20, alpha = 2.5"
    assert "changed: timesteps = 20" in (tmp_path / "method-timesteps20-alpha2.5.svg").read_text()
    back = pd.read_csv(tmp_path / "method-timesteps20-alpha2.5.csv")
    assert back[["timesteps", "accuracy"]].equals(TABLE)  # a column of that name is the table's own
    assert (back.alpha == 2.5).all()
    assert out.written.endswith("/method-timesteps20-alpha2.5.{csv,svg,png}")


def test_a_list_is_one_value_in_name_title_and_csv(tmp_path: Path) -> None:
    fig, alphas = drawn(), [2, 2.5, 4.0, float("inf")]
    csv, *_ = Outputs(tmp_path, {"alphas": alphas, "nets": ["cnn"]}).write_figure(fig, TABLE, "f")
    assert csv.name == "f-alphas2_2.5_4_inf-netscnn.csv"
    assert set(pd.read_csv(csv).alphas) == {"2, 2.5, 4, inf"}
    assert fig.get_suptitle() == "A title\nchanged: alphas = [2, 2.5, 4, inf], nets = [cnn]"


def test_much_that_is_changed_leaves_a_short_name_of_its_own(tmp_path: Path) -> None:
    names = {Outputs(tmp_path, {"seeds": [*range(n)]}).named("f") for n in range(1, 100)}
    names |= {Outputs(tmp_path, {f"parameter{i}": [n, *range(9)] for i in range(20)}).named("f") for n in range(10, 99)}
    assert len(names) == 99 + 89
    assert max(map(len, names)) < 150
    fig = drawn("")
    Outputs(tmp_path, {f"parameter{i}": i for i in range(20)}).write_figure(fig, TABLE, "f")
    assert max(map(len, fig.get_suptitle().splitlines())) <= 64


def test_a_changed_file_is_known_by_its_name_and_no_other_is() -> None:
    assert is_changed(Path(Outputs(Path("x"), {"timesteps": 20}).named("method") + ".csv"))
    files = [file for files in NOTEBOOK_FILES.values() for file in files]
    assert not any(is_changed(Path(file)) for file in files)


def test_the_title_comes_above_the_panels_of_figure_1(tmp_path: Path) -> None:
    steps = pd.DataFrame({"step": [1, 2, 3], "timesteps": [1, 20, 20], "mean": 80.0, "std": 1.0, "noise_seeds": 2})
    density = pd.DataFrame({"layer": ["layer 1", "layer 2"], "left": 0.0, "right": 1.0, "density": 1.0})
    net = {"dataset": "mnist", "network": "cnn", "width": 0.5, "augment": "none", "readout": "spikes", "seed": 0}
    fig = fig1.method(steps, pd.concat([density.assign(term=term) for term in fig1._TERMS]), net)
    Outputs(tmp_path, {"timesteps": 20}).write_figure(fig, steps, "method")
    assert fig.get_suptitle() == "changed: timesteps = 20"
    renderer = FigureCanvasAgg(fig).get_renderer()
    title = fig._suptitle.get_window_extent(renderer)
    for below in fig.subfigs:
        assert below._suptitle.get_window_extent(renderer).y1 <= title.y0


# --- published -------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader's own folder with two files; one of them and another one are published."""
    monkeypatch.delenv("SNNLIB_FIGURES", raising=False)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    for file, text in {"mine/smoke/a": "new a", "mine/smoke/b": "new b", "smoke/a": "old a", "smoke/c": "c"}.items():
        path = tmp_path / "figures" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        write_summed({path: text})
    return tmp_path / "figures" / "mine" / "smoke"


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.suffix != ENDING}


def test_files_are_published_and_what_is_no_longer_made_goes(own: Path) -> None:
    (own / "a-alpha2").write_text("explored")
    folder = published.copy("smoke", ["a", "b"])
    assert folder == paths.published_dir() / "smoke"
    assert contents(folder) == {"a": "new a", "b": "new b"}
    assert contents(own) == {"a": "new a", "b": "new b", "a-alpha2": "explored"}
    assert {path.name for path in folder.iterdir()} == {"a", "b", "a.sha256", "b.sha256"}
    assert all(verified(folder / name) for name in "ab")


def test_what_is_not_as_it_was_written_is_not_published(own: Path) -> None:
    (own / "b").write_text("edited")
    with pytest.raises(DamagedError, match="smoke/b: damaged"):
        published.copy("smoke", ["a", "b"])
    assert contents(paths.published_dir() / "smoke") == {"a": "old a", "c": "c"}


def test_nothing_is_published_if_a_file_is_missing(own: Path) -> None:
    with pytest.raises(InputError, match="^figures/mine/smoke: d, e missing; nothing was published$"):
        published.copy("smoke", ["a", "d", "b", "e"])
    with pytest.raises(InputError, match="^figures/mine/smoke: d, e, f and 2 more files missing; nothing"):
        published.copy("smoke", [*"adefgh"])
    assert contents(paths.published_dir() / "smoke") == {"a": "old a", "c": "c"}
