"""A tokenizer.json: its ids are those of `tokenizers`, whichever library encodes."""

from __future__ import annotations

import errno
import http.server
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.prepare.conftest import documents_of
from thermix.errors import DataError, InvalidInput
from thermix.prepare.encoder_huggingface import HuggingfaceEncoder
from thermix.prepare.encoders import encoder_from_identity, open_encoder
from thermix.prepare.tokenizer_sample import sample

tokenizers = pytest.importorskip("tokenizers")
fastokens = pytest.importorskip("fastokens")

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
SPACED = st.lists(st.sampled_from(["def ", "  ", "\n", "'s", "été", "<|endoftext|>", "12"])).map("".join)


def opened(path: Path, end_of_document: str | None = None) -> HuggingfaceEncoder:
    encoder = open_encoder(str(path), end_of_document=end_of_document)
    assert isinstance(encoder, HuggingfaceEncoder)
    return encoder


@pytest.fixture
def encoder(bpe_file: Path) -> HuggingfaceEncoder:
    return opened(bpe_file)


Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def edited(bpe_file: Path, tmp_path: Path) -> Callable[[Edit], Path]:
    """The BPE with something changed in it."""

    def edit(change: Edit) -> Path:
        says = json.loads(bpe_file.read_text("utf-8"))
        change(says)
        path = tmp_path / "edited.json"
        path.write_text(json.dumps(says), encoding="utf-8")
        return path

    return edit


def due_ids(path: Path, texts: list[str]) -> list[list[int]]:
    """The twin: `tokenizers`, one text after the other."""
    plain = tokenizers.Tokenizer.from_file(str(path))
    plain.encode_special_tokens = True
    return [plain.encode(text, add_special_tokens=False).ids for text in texts]


def found_ids(encoder: HuggingfaceEncoder, texts: list[str]) -> list[list[int]]:
    documents = documents_of(*(array.tolist() for array in encoder.encode(texts)))
    assert all(document[-1] == encoder.end_of_document for document in documents)
    return [document[:-1] for document in documents]


class TestIds:
    def test_fastokens_encodes_a_bpe_and_says_nothing(self, encoder: HuggingfaceEncoder) -> None:
        assert encoder.uses_fastokens
        assert encoder.notices == ()
        assert (encoder.vocabulary, encoder.end_of_document, encoder.dtype) == (2_000, 0, "uint16")

    def test_ids_are_those_of_tokenizers_for_real_text(
        self, encoder: HuggingfaceEncoder, bpe_file: Path, real_texts: list[str]
    ) -> None:
        texts = real_texts[::5]
        assert found_ids(encoder, texts) == due_ids(bpe_file, texts)

    def test_ids_are_those_of_tokenizers_for_odd_text(
        self, encoder: HuggingfaceEncoder, bpe_file: Path
    ) -> None:
        texts = sample([], ["<|endoftext|>"])
        assert found_ids(encoder, texts) == due_ids(bpe_file, texts)

    def test_ids_are_those_of_tokenizers_for_any_text(
        self, encoder: HuggingfaceEncoder, bpe_file: Path
    ) -> None:
        plain = tokenizers.Tokenizer.from_file(str(bpe_file))
        plain.encode_special_tokens = True

        @given(st.lists(TEXT | SPACED, max_size=5))
        def same(texts: list[str]) -> None:
            due = [plain.encode(text, add_special_tokens=False).ids for text in texts]
            assert found_ids(encoder, texts) == due

        same()

    def test_any_text_comes_back(self, encoder: HuggingfaceEncoder) -> None:
        @given(st.lists(TEXT | SPACED, max_size=5))
        def back(texts: list[str]) -> None:
            assert encoder.decode(encoder.encode(texts)[0]) == "".join(texts)

        back()

    @pytest.mark.slow  # trains a tokenizer of 32,000 ids
    def test_ids_are_those_of_tokenizers_with_32_000_ids(
        self, large_bpe_file: Path, real_texts: list[str]
    ) -> None:
        encoder = opened(large_bpe_file)
        assert (encoder.vocabulary, encoder.uses_fastokens) == (32_000, True)
        assert found_ids(encoder, real_texts) == due_ids(large_bpe_file, real_texts)

    def test_a_word_piece_is_encoded_by_tokenizers(
        self, word_piece_file: Path, real_texts: list[str]
    ) -> None:
        encoder = opened(word_piece_file)
        assert not encoder.uses_fastokens
        assert (encoder.end_of_document, encoder.dtype) == (2, "uint16")
        assert found_ids(encoder, real_texts[:30]) == due_ids(word_piece_file, real_texts[:30])

    def test_nothing_is_cut_or_filled_up_whatever_the_file_says(
        self, edited: Callable[[Edit], Path], bpe_file: Path
    ) -> None:
        cut = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
        fill: dict[str, Any] = {"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": None}
        fill |= {"pad_id": 0, "pad_type_id": 0, "pad_token": "<|endoftext|>"}
        encoder = opened(edited(lambda says: says.update(truncation=cut, padding=fill)))
        assert encoder.uses_fastokens
        texts = ["a", "word after word after word after word"]
        assert found_ids(encoder, texts) == due_ids(bpe_file, texts)
        encoder._fast = None
        assert found_ids(encoder, texts) == due_ids(bpe_file, texts)


class TestEndOfDocument:
    @pytest.mark.parametrize("special", [True, False])
    def test_a_document_in_which_it_is_typed_does_not_end_there(
        self, special: bool, edited: Callable[[Edit], Path]
    ) -> None:
        encoder = opened(edited(lambda says: says["added_tokens"][0].update(special=special)))
        assert encoder.uses_fastokens
        assert encoder.notices == ()
        text = "before <|endoftext|>after<|endoftext|>"
        tokens, _ = encoder.encode([text])
        assert np.flatnonzero(tokens == 0).tolist() == [len(tokens) - 1]
        assert encoder.decode(tokens) == text
        encoder._fast = None
        assert encoder.encode([text])[0].tolist() == tokens.tolist()

    def test_other_added_tokens_are_words_of_text(self, edited: Callable[[Edit], Path]) -> None:
        def add(says: dict[str, Any]) -> None:
            first = says["added_tokens"][0]
            says["added_tokens"].append({**first, "id": 2_000, "content": "<think>", "special": False})
            says["added_tokens"].append({**first, "id": 70_000, "content": "<|im_start|>", "special": True})

        encoder = opened(edited(add))
        assert encoder.uses_fastokens
        tokens, _ = encoder.encode(["<think>x<|im_start|>"])
        assert tokens[0] == 2_000
        assert 70_000 not in tokens

    def test_a_word_of_the_model_that_ends_documents_is_told_of(self, unigram_file: Path) -> None:
        encoder = opened(unigram_file)
        assert "a document in which '</s>' is typed ends there" in encoder.notices[0]
        assert 2 in encoder.encode(["a </s> b"])[0][:-1]

    def test_it_may_be_any_token(self, bpe_file: Path) -> None:
        assert opened(bpe_file, "17").end_of_document == 17
        assert opened(bpe_file, "<|endoftext|>").end_of_document == 0
        with pytest.raises(InvalidInput, match="got '2000', which is no token"):
            opened(bpe_file, "2000")
        with pytest.raises(InvalidInput, match="got '99999999999', which is no token"):
            opened(bpe_file, "99999999999")

    def test_a_file_that_names_none_needs_one(self, edited: Callable[[Edit], Path]) -> None:
        path = edited(lambda says: says.update(added_tokens=[]))
        with pytest.raises(InvalidInput, match="end of document: the tokenizer names none"):
            opened(path)


class _Wrong:
    """fastokens, with another id for "é"."""

    def __init__(self, text: str) -> None:
        self._true = fastokens._native.Tokenizer.from_json_str(text)

    @classmethod
    def from_json_str(cls, text: str) -> _Wrong:
        return cls(text)

    def encode_batch_flat(self, texts: list[str], **options: bool) -> tuple[bytes, bytes]:
        ids, offsets = self._true.encode_batch_flat([text.replace("é", "e") for text in texts], **options)
        return bytes(ids), bytes(offsets)


class TestFallback:
    def test_other_ids_are_found_and_told(
        self, bpe_file: Path, monkeypatch: pytest.MonkeyPatch, real_texts: list[str]
    ) -> None:
        monkeypatch.setattr(fastokens, "Tokenizer", _Wrong)
        encoder = opened(bpe_file)
        (notice,) = encoder.notices
        assert "gives other ids than tokenizers for 'naïve café" in notice
        assert notice.endswith("; encoding with tokenizers, which takes many times as long.")
        assert found_ids(encoder, ["é", *real_texts[:5]]) == due_ids(bpe_file, ["é", *real_texts[:5]])

    def test_other_ids_in_the_users_own_text_are_found(
        self, bpe_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("thermix.prepare.tokenizer_sample._ODD", ("plain",))
        monkeypatch.setattr(fastokens, "Tokenizer", _Wrong)
        encoder = opened(bpe_file)
        assert encoder.notices == ()
        encoder.check(["x" * 100_000, "plain", "now é"])
        assert not encoder.uses_fastokens
        assert "for 'now é'; encoding with tokenizers" in " ".join(encoder.notices)
        encoder.check(["plain"])
        assert not encoder.uses_fastokens
        assert len(encoder.notices) == 1

    def test_a_worker_keeps_to_what_was_found(self, bpe_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fastokens, "Tokenizer", _Wrong)
        encoder = opened(bpe_file)
        again = pickle.loads(pickle.dumps(encoder))
        assert not again.uses_fastokens
        assert again.notices == encoder.notices

    def test_a_tokenizer_that_it_does_not_take_is_told(self, word_piece_file: Path) -> None:
        (notice,) = opened(word_piece_file).notices
        assert "does not take it (normalizer error: unsupported normalizer type: BertNormalizer)" in notice

    def test_without_it_tokenizers_encodes(self, bpe_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "fastokens", None)
        encoder = opened(bpe_file)
        assert "fastokens is not installed (pip install 'thermix[data]')" in encoder.notices[0]
        assert found_ids(encoder, ["a b"]) == due_ids(bpe_file, ["a b"])

    def test_a_batch_on_which_it_fails_is_encoded_by_tokenizers(
        self, encoder: HuggingfaceEncoder, bpe_file: Path
    ) -> None:
        class Failing:
            def encode_batch_flat(self, texts: list[str], **options: bool) -> tuple[bytes, bytes]:
                raise ValueError("match limit exceeded")

        encoder._fast = Failing()
        for _ in range(2):
            assert found_ids(encoder, ["a b", "c"]) == due_ids(bpe_file, ["a b", "c"])
        assert encoder.notices == (
            "tokenizer: fastokens failed on a batch of texts (match limit exceeded); it was encoded with "
            "tokenizers, which takes many times as long.",
        )

    def test_a_panic_of_the_library_is_no_end_of_the_run(
        self, encoder: HuggingfaceEncoder, bpe_file: Path
    ) -> None:
        panic = type("PanicException", (BaseException,), {})

        class Panicking:
            def encode_batch_flat(self, texts: list[str], **options: bool) -> tuple[bytes, bytes]:
                raise panic("index out of bounds")

        encoder._fast = Panicking()
        assert found_ids(encoder, ["a"]) == due_ids(bpe_file, ["a"])
        assert "(it panicked: index out of bounds)" in encoder.notices[0]

    def test_an_interrupt_goes_through(self, encoder: HuggingfaceEncoder) -> None:
        class Interrupted:
            def encode_batch_flat(self, texts: list[str], **options: bool) -> tuple[bytes, bytes]:
                raise KeyboardInterrupt

        encoder._fast = Interrupted()
        with pytest.raises(KeyboardInterrupt):
            encoder.encode(["a"])

    def test_decoding_needs_neither_a_check_nor_fastokens(
        self, encoder: HuggingfaceEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        encoder.save(tmp_path)
        monkeypatch.setitem(sys.modules, "fastokens", None)
        again = encoder_from_identity(encoder.identity, tmp_path)
        assert again.notices == ()
        assert again.decode(encoder.encode(["as it was"])[0]) == "as it was"

    def test_a_worker_opens_a_tokenizer_once_for_all_its_tasks(self, encoder: HuggingfaceEncoder) -> None:
        sent = pickle.dumps(encoder)
        assert pickle.loads(sent) is pickle.loads(bytes(sent))


class TestSample:
    def test_given_texts_are_cut_to_a_bounded_sample(self) -> None:
        texts = sample(["x" * 10_000_000] * 1_000, [f"<{number}>" for number in range(100_000)])
        assert sum(map(len, texts)) < 400_000

    def test_short_texts_are_taken_whole(self) -> None:
        assert {"one", "two", "onetwo"} <= set(sample(["one", "two"], []))


BPE = '{"version": "1.0", "model": {"type": "BPE", "vocab": {}, "merges": []}}'


class TestBadFiles:
    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", r"line 1, column 1: not JSON: Expecting value"),
            (b'{"model": {\n"type"', r"line 2, column 7: not JSON"),
            (b"\xff\xfe", r"byte 0: not UTF-8"),
            (b"[]", r"it is JSON without a 'model'"),
            (b'{"architectures": ["GPT2"]}', r"it is JSON without a 'model'"),
            (b"[" * 200_000, r"JSON nested too deeply|not JSON"),
            (b'{"model": {"type": "Foo"}}', r"tokenizers .* cannot read it: data did not match"),
            (BPE.replace("1.0", "9.0").encode(), r"cannot read it: Unknown tokenizer version '9\.0' .*newer"),
        ],
    )
    def test_what_is_no_tokenizer_is_refused(self, content: bytes, says: str, tmp_path: Path) -> None:
        path = tmp_path / "tokenizer.json"
        path.write_bytes(content)
        with pytest.raises(DataError, match=says) as caught:
            open_encoder(str(path))
        assert str(caught.value).startswith(f"tokenizer: {path}")

    def test_a_file_cut_short_anywhere_is_refused(self, bpe_file: Path, tmp_path: Path) -> None:
        whole = bpe_file.read_bytes()
        path = tmp_path / "tokenizer.json"
        for size in np.linspace(0, len(whole) - 2, 40).astype(int).tolist():
            path.write_bytes(whole[:size])
            with pytest.raises(DataError, match=r"not JSON|not UTF-8"):
                open_encoder(str(path))

    def test_an_empty_vocabulary_has_no_end_of_document(self, tmp_path: Path) -> None:
        path = tmp_path / "tokenizer.json"
        path.write_text(BPE)
        with pytest.raises(InvalidInput, match="the tokenizer names none"):
            open_encoder(str(path))

    def test_ids_drawn_at_random_are_refused(self, edited: Callable[[Edit], Path]) -> None:
        path = edited(lambda says: says["model"].update(dropout=0.1))
        with pytest.raises(
            InvalidInput, match=r"model\.dropout is 0\.1, with which the same text gets other"
        ):
            open_encoder(str(path))

    def test_a_character_without_an_id_is_refused(self, unigram_file: Path) -> None:
        says = json.loads(unigram_file.read_text())
        says["model"]["unk_id"] = None
        unigram_file.write_text(json.dumps(says))
        encoder = opened(unigram_file)
        assert len(encoder.encode(["plain"])[0]) > 1
        with pytest.raises(InvalidInput, match=r"cannot encode a text: .* an id for every character"):
            encoder.encode(["plain", "é"])

    def test_a_file_that_may_not_be_read_is_refused(
        self, bpe_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def denied(path: Path) -> bytes:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(Path, "read_bytes", denied)  # not by chmod: root may read everything
        with pytest.raises(DataError, match=r"tokenizer\.json: Permission denied\. Check its permissions"):
            open_encoder(str(bpe_file))


class TestSave:
    def test_the_copy_is_the_file(self, encoder: HuggingfaceEncoder, bpe_file: Path, tmp_path: Path) -> None:
        encoder.save(tmp_path)
        encoder.save(tmp_path)
        assert [file.name for file in tmp_path.iterdir()] == ["tokenizer.json"]
        assert (tmp_path / "tokenizer.json").read_bytes() == bpe_file.read_bytes()

    def test_a_full_disk_leaves_what_was_there(
        self, encoder: HuggingfaceEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "tokenizer.json").write_text("before")

        def full(handle: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(
            DataError, match=r"tokenizer\.json: it cannot be written: No space left on device"
        ):
            encoder.save(tmp_path)
        assert [file.name for file in tmp_path.iterdir()] == ["tokenizer.json"]
        assert (tmp_path / "tokenizer.json").read_text() == "before"


@pytest.fixture
def hub(bpe_file: Path) -> Iterator[str]:
    """A hub on this machine with one repository, `some/model`."""
    content = bpe_file.read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            found = self.path.startswith("/some/model/resolve/") and self.path.endswith("/tokenizer.json")
            self.send_response(200 if found else 404)
            if found:
                self.send_header("ETag", '"0123456789abcdef"')
                self.send_header("X-Repo-Commit", "a" * 40)
                self.send_header("Content-Length", str(len(content)))
            else:
                self.send_header("X-Error-Code", "RepoNotFound")
                self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            if self.path.startswith("/some/model/"):
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


FETCH = """
import json, sys
from thermix.errors import ThermixError
from thermix.prepare.encoders import open_encoder
try:
    print(json.dumps(open_encoder(sys.argv[1]).identity))
except ThermixError as error:
    print(type(error).__name__, error)
"""


def fetched(spec: str, endpoint: str, folder: Path, *, offline: bool = False) -> str:
    """What opening a name of the hub prints, in a process that knows no other hub."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder), "HF_HUB_OFFLINE": str(int(offline))}
    done = subprocess.run(
        [sys.executable, "-c", FETCH, spec],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.slow  # processes that import the hub's library
class TestHub:
    def test_a_tokenizer_of_a_hub_is_the_file(self, hub: str, bpe_file: Path, tmp_path: Path) -> None:
        for spec in ("hf:some/model", "hf:some/model@v1.0"):
            assert json.loads(fetched(spec, hub, tmp_path)) == opened(bpe_file).identity

    def test_what_was_fetched_once_needs_no_network(self, hub: str, tmp_path: Path) -> None:
        online = fetched("hf:some/model", hub, tmp_path)
        assert fetched("hf:some/model", hub, tmp_path, offline=True) == online

    def test_a_name_that_is_not_there_is_refused(self, hub: str, tmp_path: Path) -> None:
        said = fetched("hf:no/such", hub, tmp_path)
        assert said.startswith("InvalidInput tokenizer: 'hf:no/such' cannot be had: ")
        assert "or download its tokenizer.json and give the path of that." in said

    def test_without_a_network_it_is_refused(self, hub: str, tmp_path: Path) -> None:
        said = fetched("hf:some/model", hub, tmp_path, offline=True)
        assert said.startswith("InvalidInput tokenizer: 'hf:some/model' cannot be had: ")
