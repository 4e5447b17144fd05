"""Downloads: torchvision's fetcher replaced, then from a server in this process; no network."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import shutil
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from hostile import Bomb
from tiny_data import write
from torchvision.datasets import CIFAR10, MNIST

from snnlib.data import sets as data
from snnlib.data import torchvision_sets
from snnlib.data.checksums import DataError
from snnlib.data.sets import Dataset


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SNNLIB_DATA", str(tmp_path))
    return tmp_path


# --- downloading (torchvision's fetcher replaced; no network) --------------------------------


def test_a_failed_download_says_why(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(url: str, *args: object, **kwargs: object) -> None:
        raise OSError("no\nnetwork")

    monkeypatch.setattr(torchvision_sets, "download_and_extract_archive", offline)
    for name in ("mnist", "fashion_mnist", "cifar10"):
        with pytest.raises(DataError, match=rf"download failed: no network.*python -m reproduce data {name}`"):
            data.load_dataset(name)


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
    assert len(data.load_dataset("mnist").train) == 5
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
        data.load_dataset("mnist")
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
    threads = [threading.Thread(target=lambda: loaded.append(data.load_dataset("mnist"))) for _ in range(4)]
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
        data.load_dataset("cifar10")
    assert "; download failed: File not found or corrupted.; `python -m reproduce data cifar10`" in str(error.value)
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
    assert len(data.load_dataset("cifar10").train) == 10
    assert server.asked == {CIFAR10.filename}
    assert left_over.read_bytes() == archive

    # A file that is damaged later comes from the archive that is still there.
    server.asked.clear()
    file = folder / CIFAR10.base_folder / "data_batch_2"
    intact = file.read_bytes()
    file.write_bytes(b"not it")
    assert len(data.load_dataset("cifar10").train) == 10
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
        data.load_dataset("mnist")
    assert not (raw / file).exists()

    server.files = right
    assert data.load_dataset("mnist").test.labels.tolist() == [0, 1, 2]  # although a wrong archive lies there


def test_a_pickle_of_an_old_torchvision_is_not_read(folder: Path, tiny_mnist: dict[str, bytes]) -> None:
    write(folder / "MNIST" / "raw", tiny_mnist)
    trace = folder / "unpickled"
    (folder / "MNIST" / "processed").mkdir()
    for file in ("training.pt", "test.pt"):
        torch.save(Bomb(trace), folder / "MNIST" / "processed" / file)
    with pytest.raises(pickle.UnpicklingError):  # torchvision's own class reads it, if only as weights
        MNIST(folder)
    assert len(data.load_dataset("mnist").train) == 5
    assert not trace.exists()
