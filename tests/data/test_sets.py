"""The data sets: what is loaded, what is refused, and what batching and augmentation do to it."""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
import os
import pickle
import shutil
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile import Bomb, unprivileged
from torchvision.datasets import CIFAR10, MNIST

from snnlib.data import sets as data
from snnlib.data import torchvision_sets
from snnlib.data.sets import DataError, Dataset

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@pytest.fixture(scope="module")
def mini() -> Dataset:
    return data.load("fashion_mnist_mini")


def test_the_sizes_of_the_data_sets_are_those_that_are_loaded(mini: Dataset) -> None:
    assert set(data.SIZES) == set(data.DATASETS)
    assert data.SIZES["fashion_mnist_mini"] == (len(mini.train), len(mini.test))


def test_held_out_images_are_taken_from_the_training_set_once_and_for_all(mini: Dataset) -> None:
    held = data.load("fashion_mnist_mini", hold_out=600)
    assert (len(held.train), len(held.test)) == (5400, 600)
    both = torch.cat([held.train.images, held.test.images]).flatten(1)
    assert sorted(x.numpy().tobytes() for x in both) == sorted(
        x.numpy().tobytes() for x in mini.train.images.flatten(1)
    )
    again = data.load("fashion_mnist_mini", hold_out=600)
    assert torch.equal(held.test.images, again.test.images)
    labels = {x.numpy().tobytes(): y for x, y in zip(mini.train.images, mini.train.labels.tolist(), strict=True)}
    assert [labels[x.numpy().tobytes()] for x in held.test.images] == held.test.labels.tolist()
    pixels = held.train.images.double() / 255  # statistics are those of the images that are trained on
    assert held.mean.item() == pytest.approx(pixels.mean().item())
    assert held.std.item() == pytest.approx(pixels.std(correction=0).item())


@pytest.mark.parametrize("hold_out", [-1, 6000, 1.5, True])
def test_what_cannot_be_held_out_is_refused(hold_out: object) -> None:
    with pytest.raises(ValueError, match="hold_out = "):
        data.load("fashion_mnist_mini", hold_out=hold_out)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SNNLIB_DATA", str(tmp_path))
    return tmp_path


def random_images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def idx_bytes(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


@pytest.fixture
def tiny_mnist(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The four files of an MNIST of 5 + 3 images, whose checksums the library now expects."""
    files = {}
    for prefix, n in (("train", 5), ("t10k", 3)):
        files[f"{prefix}-images-idx3-ubyte"] = idx_bytes(random_images(n, 28, 28, seed=n))
        files[f"{prefix}-labels-idx1-ubyte"] = idx_bytes(np.arange(n, dtype=np.uint8))
    sums = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    monkeypatch.setitem(torchvision_sets._SHA256, "mnist", sums)
    return files


def write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)


@pytest.fixture
def tiny_cifar(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CIFAR-10 of 2 images a batch on disk, whose checksums the library and torchvision now expect."""
    base = folder / CIFAR10.base_folder
    batches = [file for file, _ in [*CIFAR10.train_list, *CIFAR10.test_list]]
    files = {
        file: pickle.dumps({"data": random_images(2, 3072, seed=i), "labels": [i, 9 - i]})
        for i, file in enumerate(batches)
    }
    files["batches.meta"] = pickle.dumps({"label_names": [f"class {i}" for i in range(10)]})
    write(base, files)
    sums = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    monkeypatch.setitem(torchvision_sets._SHA256, "cifar10", sums)
    md5 = {file: hashlib.md5(content).hexdigest() for file, content in files.items()}
    monkeypatch.setattr(CIFAR10, "train_list", [[file, md5[file]] for file in batches[:5]])
    monkeypatch.setattr(CIFAR10, "test_list", [[file, md5[file]] for file in batches[5:]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5["batches.meta"]})
    return base


# --- the set in the repository ---------------------------------------------------------------


def test_mini_file_is_the_published_one() -> None:
    digest = hashlib.sha256(data.MINI_FILE.read_bytes()).hexdigest()
    assert digest == data.MINI_SHA256
    assert digest in (data.MINI_FILE.parent / "README.md").read_text()


def test_mini_is_balanced(mini: Dataset) -> None:
    for split, n in ((mini.train, 6000), (mini.test, 1000)):
        assert len(split) == n
        assert split.images.shape == (n, 1, 28, 28)
        assert split.images.dtype == torch.uint8
        assert split.labels.shape == (n,)
        assert split.labels.dtype == torch.int64
        assert split.labels.bincount().tolist() == [n // 10] * 10
    assert len(mini.classes) == 10


def test_mini_is_read_from_the_repository_wherever_the_data_folder_is(mini: Dataset, folder: Path) -> None:
    assert torch.equal(data.load("fashion_mnist_mini").train.images, mini.train.images)


def test_mini_is_a_part_of_fashion_mnist(mini: Dataset) -> None:
    try:
        full = data.load("fashion_mnist", download=False)
    except DataError:
        pytest.skip("the full Fashion-MNIST is not in the data folder")
    for small, large in ((mini.train, full.train), (mini.test, full.test)):
        known = {
            (image.tobytes(), label) for image, label in zip(large.images.numpy(), large.labels.tolist(), strict=True)
        }
        assert all(
            (image.tobytes(), label) in known
            for image, label in zip(small.images.numpy(), small.labels.tolist(), strict=True)
        )


def test_a_damaged_mini_file_is_moved_aside(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = bytearray(data.MINI_FILE.read_bytes())
    content[1_000_000] ^= 1
    copy = tmp_path / "fashion_mnist_mini.npz"
    copy.write_bytes(content)
    monkeypatch.setattr(data, "MINI_FILE", copy)
    aside = tmp_path / "damaged" / "1"
    with pytest.raises(DataError) as error:
        data.load("fashion_mnist_mini")
    found = hashlib.sha256(content).hexdigest()
    told = f"{copy} is damaged: its sha256 is {found[:12]}..., not {data.MINI_SHA256[:12]}...; moved to {aside}"
    assert told in str(error.value)
    assert str(error.value).endswith("; `git checkout -- data/fashion_mnist_mini.npz` restores it")
    assert [(record.name, record.levelno, record.getMessage()) for record in caplog.records] == [
        ("snnlib", logging.WARNING, told)
    ]
    assert (aside / copy.name).read_bytes() == content
    with pytest.raises(DataError, match=r"no intact fashion_mnist_mini\.npz in .*git checkout"):
        data.load("fashion_mnist_mini")
    assert [path.name for path in aside.parent.iterdir()] == ["1"]


# --- statistics, padding, standardising ------------------------------------------------------


def test_statistics_match_numpy(mini: Dataset) -> None:
    pixels = mini.train.images.numpy().astype(np.float64) / 255
    assert mini.mean.shape == mini.std.shape == (1, 1, 1)
    assert mini.mean.item() == pytest.approx(pixels.mean(), rel=1e-6)
    assert mini.std.item() == pytest.approx(pixels.std(), rel=1e-6)


def test_statistics_are_per_channel() -> None:
    images = random_images(20, 3, 8, 8) // np.array([1, 2, 5], dtype=np.uint8)[:, None, None]
    mean, std = data._pixel_statistics(torch.from_numpy(images))
    assert mean.shape == std.shape == (3, 1, 1)
    np.testing.assert_allclose(mean.flatten(), (images / 255).mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(std.flatten(), (images / 255).std((0, 2, 3)), rtol=1e-6)


def test_padding_centres_and_repeats(mini: Dataset) -> None:
    padded = data.load("fashion_mnist_mini", shape=(3, 32, 32))
    for old, new in ((mini.train, padded.train), (mini.test, padded.test)):
        expected = np.pad(old.images.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2))).repeat(3, axis=1)
        assert new.images.dtype == torch.uint8
        assert np.array_equal(new.images.numpy(), expected)
        assert torch.equal(new.labels, old.labels)
    # the statistics are those of the images, not of the zeros around them
    assert torch.equal(padded.mean, mini.mean.expand(3, 1, 1))
    assert torch.equal(padded.std, mini.std.expand(3, 1, 1))


def test_odd_padding_puts_the_extra_zeros_last() -> None:
    image = torch.ones(1, 1, 2, 2, dtype=torch.uint8)
    assert data._fit(image, (1, 3, 5))[0, 0].tolist() == [[0, 1, 1, 0, 0]] * 2 + [[0] * 5]


@pytest.mark.parametrize("shape", [(1, 27, 28), (1, 28, 27), (0, 28, 28)])
def test_a_shape_that_is_too_small_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"\(1, 28, 28\)"):
        data.load("fashion_mnist_mini", shape=shape)


@pytest.mark.parametrize("channels", [1, 4])
def test_channels_that_do_not_divide_are_refused(channels: int) -> None:
    with pytest.raises(ValueError, match="multiple of 3 channels"):
        data._fit(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), (channels, 8, 8))


# --- reading, missing and damaged files ------------------------------------------------------


def test_unknown_name_is_one_line_with_the_choices() -> None:
    with pytest.raises(ValueError, match=r"'imagenet'.*mnist.*fashion_mnist.*cifar10.*fashion_mnist_mini$"):
        data.load("imagenet")


def test_idx_files_are_read(folder: Path, tiny_mnist: dict[str, bytes]) -> None:
    write(folder / "MNIST" / "raw", tiny_mnist)
    loaded = data.load("mnist", download=False)
    assert np.array_equal(loaded.train.images[:, 0].numpy(), random_images(5, 28, 28, seed=5))
    assert np.array_equal(loaded.test.images[:, 0].numpy(), random_images(3, 28, 28, seed=3))
    assert loaded.test.labels.tolist() == [0, 1, 2]
    assert loaded.test.labels.dtype == torch.int64
    assert loaded.classes == tuple("0123456789")


@pytest.mark.parametrize("file", IDX_FILES)
@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b""])
def test_a_damaged_idx_file_is_moved_aside(folder: Path, tiny_mnist: dict[str, bytes], file: str, damage) -> None:
    raw = folder / "MNIST" / "raw"
    tiny_mnist[file] = damage(tiny_mnist[file])
    write(raw, tiny_mnist)
    with pytest.raises(DataError) as error:
        data.load("mnist", download=False)
    message = str(error.value)
    assert f"{raw / file} is damaged" in message
    assert f"moved to {raw / 'damaged' / '1'}" in message
    assert "python -m snnlib data mnist" in message
    assert "\n" not in message
    assert (raw / "damaged" / "1" / file).read_bytes() == tiny_mnist.pop(file)
    assert not (raw / file).exists()
    assert all((raw / other).read_bytes() == content for other, content in tiny_mnist.items())


def test_the_real_checksums_refuse_other_files(folder: Path) -> None:
    for name, path in (
        ("mnist", "MNIST/raw/t10k-labels-idx1-ubyte"),
        ("fashion_mnist", "FashionMNIST/raw/t10k-labels-idx1-ubyte"),
        ("cifar10", "cifar-10-batches-py/test_batch"),
    ):
        write((folder / path).parent, {Path(path).name: idx_bytes(np.zeros(10_000, dtype=np.uint8))})
        with pytest.raises(DataError, match=f"{path} is damaged"):
            data.load(name, download=False)


@pytest.fixture
def open_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder that every user can reach, unlike `folder`."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        monkeypatch.setenv("SNNLIB_DATA", name)
        yield Path(name)


def test_a_file_that_cannot_be_read_is_left_where_it_is(open_folder: Path, tiny_mnist: dict[str, bytes]) -> None:
    raw = open_folder / "MNIST" / "raw"
    file = raw / "train-images-idx3-ubyte"
    write(raw, tiny_mnist)
    file.chmod(0)
    with unprivileged(), pytest.raises(DataError) as error:
        data.load("mnist")
    assert str(error.value) == f"{file} cannot be read: Permission denied; mend that, or move it away and run again"
    assert {path.name for path in raw.iterdir()} == set(tiny_mnist)
    file.unlink()
    file.mkdir()
    with pytest.raises(DataError, match="train-images-idx3-ubyte cannot be read: Is a directory; .*move it away"):
        data.load("mnist")


def test_a_damaged_file_in_a_read_only_folder_is_named_with_both_ways_out(
    open_folder: Path, tiny_mnist: dict[str, bytes]
) -> None:
    raw = open_folder / "MNIST" / "raw"
    tiny_mnist["t10k-labels-idx1-ubyte"] += b"x"
    write(raw, tiny_mnist)
    raw.chmod(0o555)
    with unprivileged(), pytest.raises(DataError) as error:
        data.load("mnist")
    message = str(error.value)
    assert f"{raw / 't10k-labels-idx1-ubyte'} is damaged" in message
    assert f"{raw / '.lock'}: Permission denied: see who may read and write there" in message
    assert "python -m snnlib data mnist" in message
    assert "\n" not in message
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == tiny_mnist


def test_a_damaged_file_that_cannot_be_moved_is_named_and_stays(folder: Path, tiny_mnist: dict[str, bytes]) -> None:
    raw = folder / "MNIST" / "raw"
    tiny_mnist["t10k-labels-idx1-ubyte"] += b"x"
    write(raw, {**tiny_mnist, "damaged": b"a file, where the folder should be"})
    with pytest.raises(DataError, match=rf"t10k-labels-idx1-ubyte is damaged.*{raw}/damaged: File exists"):
        data.load("mnist")
    assert (raw / "t10k-labels-idx1-ubyte").read_bytes() == tiny_mnist["t10k-labels-idx1-ubyte"]


def test_cifar_batches_are_read(tiny_cifar: Path) -> None:
    loaded = data.load("cifar10", download=False)
    expected = np.concatenate([random_images(2, 3072, seed=i) for i in range(5)]).reshape(-1, 3, 32, 32)
    assert np.array_equal(loaded.train.images.numpy(), expected)
    assert loaded.train.labels.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5]
    assert loaded.test.labels.tolist() == [5, 4]
    assert loaded.test.labels.dtype == torch.int64
    assert loaded.classes[3] == "cat"
    assert loaded.mean.shape == (3, 1, 1)


@pytest.mark.parametrize("file", ["data_batch_3", "test_batch", "batches.meta"])
def test_a_foreign_cifar_file_is_named_and_never_unpickled(tiny_cifar: Path, tmp_path: Path, file: str) -> None:
    trace = tmp_path / "unpickled"
    pickle.loads(pickle.dumps(Bomb(trace)))
    assert trace.exists()
    trace.unlink()

    (tiny_cifar / file).write_bytes(pickle.dumps(Bomb(trace)))
    with pytest.raises(DataError) as error:
        data.load("cifar10", download=False)
    message = str(error.value)
    assert f"{tiny_cifar / file} is damaged" in message
    assert "\n" not in message
    assert not trace.exists()


def test_torchvisions_sums_alone_do_not_make_a_cifar_file_right(
    tiny_cifar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "unpickled"
    forged = pickle.dumps(Bomb(trace))
    (tiny_cifar / "test_batch").write_bytes(forged)
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", hashlib.md5(forged).hexdigest()]])
    with pytest.raises(DataError, match="test_batch is damaged"):
        data.load("cifar10", download=False)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("name", "sub", "files"),
    [
        ("mnist", "MNIST/raw", IDX_FILES),
        ("fashion_mnist", "FashionMNIST/raw", IDX_FILES),
        ("cifar10", "cifar-10-batches-py", ("data_batch_1", "data_batch_5", "test_batch", "batches.meta")),
    ],
)
def test_a_missing_set_is_explained(folder: Path, name: str, sub: str, files: tuple[str, ...]) -> None:
    with pytest.raises(DataError) as error:
        data.load(name, download=False)
    message = str(error.value)
    assert all(file in message for file in files)
    assert str(folder / sub) in message
    assert f"python -m snnlib data {name}`" in message
    assert "\n" not in message
    assert list(folder.iterdir()) == []


# --- downloading (torchvision's fetcher replaced; no network) --------------------------------


def test_a_failed_download_says_why(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(url: str, *args: object, **kwargs: object) -> None:
        raise OSError("no\nnetwork")

    monkeypatch.setattr(torchvision_sets, "download_and_extract_archive", offline)
    for name in ("mnist", "fashion_mnist", "cifar10"):
        with pytest.raises(DataError, match=rf"download failed: no network.*python -m snnlib data {name}`"):
            data.load(name)


def test_a_damaged_file_is_moved_aside_and_it_alone_downloaded_anew(
    folder: Path, tiny_mnist: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    raw, file = folder / "MNIST" / "raw", "train-labels-idx1-ubyte"
    write(raw, {**tiny_mnist, file: b"not it"})
    asked: list[str] = []

    def fetch(url: str, download_root: str, filename: str, md5: str) -> None:
        asked.append(filename)
        write(raw, {file: tiny_mnist[file]})

    monkeypatch.setattr(torchvision_sets, "download_and_extract_archive", fetch)
    assert len(data.load("mnist").train) == 5
    assert asked == [f"{file}.gz"]
    assert (raw / "damaged" / "1" / file).read_bytes() == b"not it"
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [f"{raw / file} is damaged"]


def test_a_download_of_something_else_is_refused_and_moved_aside(
    folder: Path, tiny_mnist: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, file = folder / "MNIST" / "raw", "train-labels-idx1-ubyte"
    write(raw, {**tiny_mnist, file: b"not it"})
    monkeypatch.setattr(
        torchvision_sets, "download_and_extract_archive", lambda *_, **__: write(raw, {file: b"nor this"})
    )
    with pytest.raises(DataError, match=r"no intact train-labels.*moved to .*/damaged/1; .*moved to .*/damaged/2; "):
        data.load("mnist")
    assert [(raw / "damaged" / n / file).read_bytes() for n in ("1", "2")] == [b"not it", b"nor this"]


def test_only_missing_files_are_downloaded_and_by_one_process(
    folder: Path, tiny_mnist: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    raw = folder / "MNIST" / "raw"
    present = "train-labels-idx1-ubyte"
    write(raw, {present: tiny_mnist[present]})
    asked: list[str] = []

    def fetch(url: str, download_root: str, filename: str, md5: str) -> None:
        asked.append(url)
        if url.startswith(torchvision_sets.MNIST.mirrors[0]) and "t10k-images" in url:
            raise RuntimeError("this mirror is down")
        file = filename.removesuffix(".gz")
        write(raw, {file: tiny_mnist[file][:20]})  # half written for a while, as a real download is
        time.sleep(0.3)
        write(raw, {file: tiny_mnist[file]})

    monkeypatch.setattr(torchvision_sets, "download_and_extract_archive", fetch)
    loaded: list[Dataset] = []
    threads = [threading.Thread(target=lambda: loaded.append(data.load("mnist"))) for _ in range(4)]
    for thread in threads:
        thread.start()
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    assert [len(each.train) for each in loaded] == [5] * 4
    told = {record.getMessage() for record in caplog.records}
    waited = {line for line in told if not line.endswith("is through, or gone: on with it here")}
    assert all(
        line.startswith("waiting for ") and line.endswith(", which checks or downloads mnist") for line in waited
    )
    assert told
    assert not (raw / "damaged").exists()
    first, second = torchvision_sets.MNIST.mirrors
    assert asked == [
        first + "train-images-idx3-ubyte.gz",
        first + "t10k-images-idx3-ubyte.gz",
        second + "t10k-images-idx3-ubyte.gz",
        first + "t10k-labels-idx1-ubyte.gz",
    ]


# --- downloading (from a server in this process) ---------------------------------------------


class Server(ThreadingHTTPServer):
    """Serves the bytes of ``files``; those of a path in ``cut`` end half-way."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.asked: set[str] = set()
        self.url = f"http://127.0.0.1:{self.server_port}/"

    def handle_error(self, *_: object) -> None:
        """torchvision asks once only to see whether it is sent elsewhere, and hangs up."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path[1:]
        self.server.asked.add(name)
        content = self.server.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if name in self.server.cut else content)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture
def archive(tiny_cifar: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The only archive that is right; served, and its files not yet unpacked."""
    packed = tar({f"{tiny_cifar.name}/{path.name}": path.read_bytes() for path in tiny_cifar.iterdir()})
    shutil.rmtree(tiny_cifar)
    server.files[CIFAR10.filename] = packed
    monkeypatch.setattr(CIFAR10, "url", server.url + CIFAR10.filename)
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(packed).hexdigest())
    return packed


def everything_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("what", ["another", "evil", "cut", "short"])
def test_a_wrong_archive_is_refused_and_not_unpacked(
    folder: Path, archive: bytes, server: Server, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    inside = folder / "inside"
    monkeypatch.setenv("SNNLIB_DATA", str(inside))
    trace = folder / "unpickled"
    bombs = {f"{CIFAR10.base_folder}/{file}": pickle.dumps(Bomb(trace)) for file, _ in CIFAR10.train_list}
    wrong = {
        "another": tar({f"{CIFAR10.base_folder}/test_batch": b"x"}),
        "evil": tar({"../evil": b"x", str(folder / "evil"): b"x", **bombs}),
        "cut": archive,
        "short": archive[:-1],
    }
    server.files[CIFAR10.filename] = wrong[what]
    server.cut |= {CIFAR10.filename} if what == "cut" else set()
    with pytest.raises(DataError) as error:
        data.load("cifar10")
    assert "; download failed: File not found or corrupted.; `python -m snnlib data cifar10`" in str(error.value)
    assert "\n" not in str(error.value)
    left = {CIFAR10.filename, CIFAR10.base_folder, f"{CIFAR10.base_folder}/.lock"}
    assert everything_in(inside) <= left
    assert everything_in(folder) == {"inside"} | {f"inside/{name}" for name in everything_in(inside)}


def test_the_wrong_archives_would_do_harm_if_they_were_unpacked(folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(tar({str(folder / "evil"): b"x"}))) as opened:
        opened.extractall(folder / "inside", filter="fully_trusted")
    assert (folder / "evil").exists()


def test_the_right_archive_is_taken_also_over_what_an_interrupted_download_left(
    folder: Path, archive: bytes, server: Server
) -> None:
    left_over = folder / CIFAR10.filename
    left_over.write_bytes(archive[:100])
    assert len(data.load("cifar10").train) == 10
    assert server.asked == {CIFAR10.filename}
    assert left_over.read_bytes() == archive

    # A file that is damaged later comes from the archive that is still there.
    server.asked.clear()
    file = folder / CIFAR10.base_folder / "data_batch_2"
    intact = file.read_bytes()
    file.write_bytes(b"not it")
    assert len(data.load("cifar10").train) == 10
    assert server.asked == set()
    assert file.read_bytes() == intact
    assert (file.parent / "damaged" / "1" / file.name).read_bytes() == b"not it"


def test_idx_archives_are_checked_before_they_are_unpacked(
    folder: Path, tiny_mnist: dict[str, bytes], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = {f"{file}.gz": gzip.compress(content) for file, content in tiny_mnist.items()}
    sums = [(file, hashlib.md5(content).hexdigest()) for file, content in right.items()]
    monkeypatch.setattr(MNIST, "resources", sums)
    monkeypatch.setattr(MNIST, "mirrors", [server.url])
    raw, file = folder / "MNIST" / "raw", "t10k-labels-idx1-ubyte"
    server.files |= {**right, f"{file}.gz": gzip.compress(b"another")}
    with pytest.raises(DataError, match=f"no intact {file} in .*; download failed: File not found or corrupted"):
        data.load("mnist")
    assert not (raw / file).exists()

    server.files = right
    assert data.load("mnist").test.labels.tolist() == [0, 1, 2]  # although a wrong archive lies there


def test_a_pickle_of_an_old_torchvision_is_not_read(folder: Path, tiny_mnist: dict[str, bytes]) -> None:
    write(folder / "MNIST" / "raw", tiny_mnist)
    trace = folder / "unpickled"
    (folder / "MNIST" / "processed").mkdir()
    for file in ("training.pt", "test.pt"):
        torch.save(Bomb(trace), folder / "MNIST" / "processed" / file)
    with pytest.raises(pickle.UnpicklingError):  # torchvision's own class reads it, if only as weights
        MNIST(folder)
    assert len(data.load("mnist").train) == 5
    assert not trace.exists()
