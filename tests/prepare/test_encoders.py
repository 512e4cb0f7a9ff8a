"""Every encoder: what it is asked for, what it gives, and how it crosses into another process."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.prepare.conftest import documents_of
from thermix.errors import DataError, InvalidInput, MissingExtra
from thermix.prepare.encoder_bytes import BytesEncoder
from thermix.prepare.encoders import encoder_from_identity, open_encoder

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=8)


class TestBytes:
    @given(TEXTS)
    def test_tokens_are_the_bytes_and_256_after_each_text(self, texts: list[str]) -> None:
        tokens, lengths = BytesEncoder().encode(texts)
        assert documents_of(tokens.tolist(), lengths.tolist()) == [[*t.encode(), 256] for t in texts]
        assert (str(tokens.dtype), str(lengths.dtype)) == ("uint16", "int64")

    @given(TEXTS)
    def test_decoding_gives_the_texts_back(self, texts: list[str]) -> None:
        tokens, _ = BytesEncoder().encode(texts)
        assert BytesEncoder().decode(tokens) == "".join(texts)

    def test_a_cut_character_comes_out_as_one_that_says_so(self) -> None:
        assert BytesEncoder().decode([0xA9, 97, 0xC3, 256, 0xC3, 0xA9]) == "\ufffda\ufffdé"

    def test_the_largest_byte_of_all_does_not_end_a_document(self) -> None:
        assert BytesEncoder().decode([255, 97]) == "\ufffda"

    def test_half_a_surrogate_pair_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match=r"texts\[1\], character 0: half a surrogate pair"):
            BytesEncoder().encode(["a", "\udfff"])

    def test_another_end_of_document_is_refused(self) -> None:
        assert BytesEncoder("256").end_of_document == 256
        with pytest.raises(InvalidInput, match=r"got '0'; with the tokenizer bytes it is 256\. Leave it out"):
            open_encoder("bytes", end_of_document="0")


class TestSpec:
    @pytest.mark.parametrize(
        ("spec", "near"),
        [("byte", "bytes"), ("Bytes", "bytes"), ("ticktoken:gpt2", "tiktoken:NAME"), ("HF:gpt2", "hf:NAME")],
    )
    def test_an_unknown_spec_is_refused_with_the_nearest(self, spec: str, near: str) -> None:
        with pytest.raises(InvalidInput, match=rf"tokenizer: got '{spec}', .*Did you mean '{near}'\?$"):
            open_encoder(spec)

    @pytest.mark.parametrize("spec", ["no/such/file.json", "", "x" * 5_000, "a\0b"])
    def test_what_is_nothing_known_is_refused_with_the_forms(self, spec: str) -> None:
        with pytest.raises(InvalidInput, match=r"it is bytes, the path of a tokenizer\.json, .*hf:NAME\.$"):
            open_encoder(spec)

    def test_a_folder_without_a_tokenizer_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match=r"the folder .* has no tokenizer\.json\. Name a"):
            open_encoder(str(tmp_path))

    def test_a_file_and_its_folder_are_the_same_tokenizer(self, bpe_file: Path) -> None:
        assert open_encoder(str(bpe_file)).identity == open_encoder(str(bpe_file.parent)).identity


@pytest.fixture(params=["bytes", "bpe", "word piece"])
def spec(request: pytest.FixtureRequest) -> str:
    """How a user names each kind of tokenizer that needs no network."""
    if request.param == "bytes":
        return "bytes"
    name = "bpe_file" if request.param == "bpe" else "word_piece_file"
    path: Path = request.getfixturevalue(name)
    return str(path)


class TestEveryEncoder:
    def test_no_text_gives_no_token(self, spec: str) -> None:
        tokens, lengths = open_encoder(spec).encode([])
        assert (len(tokens), len(lengths)) == (0, 0)
        assert lengths.dtype == np.int64

    def test_an_empty_text_is_an_empty_document(self, spec: str) -> None:
        encoder = open_encoder(spec)
        tokens, lengths = encoder.encode(["", ""])
        assert (tokens.tolist(), lengths.tolist()) == ([encoder.end_of_document] * 2, [1, 1])
        assert encoder.decode(tokens) == encoder.decode([]) == ""

    def test_ids_lie_below_the_vocabulary_and_in_its_type(self, spec: str, real_texts: list[str]) -> None:
        encoder = open_encoder(spec)
        tokens, lengths = encoder.encode(real_texts[:50])
        assert tokens.dtype == encoder.dtype
        assert tokens.max() < encoder.vocabulary <= np.iinfo(encoder.dtype).max + 1
        assert lengths.sum() == len(tokens)

    def test_documents_do_not_depend_on_their_neighbours(self, spec: str, real_texts: list[str]) -> None:
        encoder = open_encoder(spec)
        texts = ["", *real_texts[:20], "", "end"]
        together = documents_of(*(array.tolist() for array in encoder.encode(texts)))
        assert together == [encoder.encode([text])[0].tolist() for text in texts]

    def test_the_end_of_document_stands_at_ends_alone(self, spec: str, real_texts: list[str]) -> None:
        encoder = open_encoder(spec)
        tokens, lengths = encoder.encode([*real_texts[:20], "a <|endoftext|> [SEP] </s> b"])
        ends = np.flatnonzero(tokens == encoder.end_of_document)
        assert ends.tolist() == (np.cumsum(lengths) - 1).tolist()

    def test_one_long_text_is_encoded_whole(self, spec: str, real_texts: list[str]) -> None:
        encoder = open_encoder(spec)
        text = "".join(real_texts[:100])
        tokens, lengths = encoder.encode([text])
        assert lengths.tolist() == [len(tokens)]
        if spec == "bytes" or "bpe" in spec:
            assert encoder.decode(tokens) == text

    def test_its_identity_is_json_and_opens_it_again(self, spec: str, tmp_path: Path) -> None:
        encoder = open_encoder(spec)
        encoder.save(tmp_path)
        identity = json.loads(json.dumps(encoder.identity))
        again = encoder_from_identity(identity, tmp_path)
        tokens, _ = encoder.encode(["hello world"])
        assert again.identity == encoder.identity
        assert again.decode(tokens) == encoder.decode(tokens) == "hello world"

    def test_it_can_be_pickled(self, spec: str, real_texts: list[str]) -> None:
        encoder = open_encoder(spec)
        again = pickle.loads(pickle.dumps(encoder))
        assert again.identity == encoder.identity
        assert again.notices == encoder.notices
        assert again.encode(real_texts[:9])[0].tolist() == encoder.encode(real_texts[:9])[0].tolist()

    def test_half_a_surrogate_pair_is_refused_with_its_place(self, spec: str) -> None:
        with pytest.raises(InvalidInput, match=r"texts\[1\], character 1: half a surrogate pair, \\ud83d"):
            open_encoder(spec).encode(["a", "b\ud83d"])

    def test_an_id_of_another_tokenizer_is_refused(self, spec: str) -> None:
        encoder = open_encoder(spec)
        with pytest.raises(DataError, match=f"the ids 0 to {encoder.vocabulary - 1}"):
            encoder.decode([encoder.vocabulary])


class TestIdentity:
    def test_no_path_is_in_it(self, bpe_file: Path, tmp_path: Path) -> None:
        copy = tmp_path / "other name.json"
        copy.write_bytes(bpe_file.read_bytes())
        assert open_encoder(str(copy)).identity == open_encoder(str(bpe_file)).identity

    def test_a_changed_byte_of_the_file_changes_it(self, bpe_file: Path, tmp_path: Path) -> None:
        copy = tmp_path / "tokenizer.json"
        copy.write_bytes(bpe_file.read_bytes() + b"\n")
        assert open_encoder(str(copy)).identity != open_encoder(str(bpe_file)).identity

    def test_the_end_of_document_is_in_it(self, bpe_file: Path) -> None:
        other = open_encoder(str(bpe_file), end_of_document="5").identity
        assert other == {**open_encoder(str(bpe_file)).identity, "end_of_document": 5}

    def test_another_file_in_its_place_is_refused(
        self, bpe_file: Path, word_piece_file: Path, tmp_path: Path
    ) -> None:
        identity = open_encoder(str(bpe_file)).identity
        open_encoder(str(word_piece_file)).save(tmp_path)
        with pytest.raises(DataError, match=r"the tokenizer here is tokenizer\.json, SHA-256 .*; the shards"):
            encoder_from_identity(identity, tmp_path)

    def test_a_file_that_is_gone_is_refused(self, bpe_file: Path, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match=r"tokenizer\.json: no such file\. Name a"):
            encoder_from_identity(open_encoder(str(bpe_file)).identity, tmp_path)

    @pytest.mark.parametrize(
        "identity",
        [
            {},
            {"kind": "words", "vocabulary": 3, "end_of_document": 1},
            {"kind": "tokenizer.json", "sha256": 5, "vocabulary": 3, "end_of_document": 1},
            {"kind": "tokenizer.json", "sha256": "5", "vocabulary": 3, "end_of_document": "1"},
            {"kind": "tiktoken", "name": ["gpt2"], "end_of_document": 1},
            {"kind": "bytes"},
        ],
    )
    def test_a_damaged_one_is_refused(self, identity: dict[str, Any], tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"its manifest says of the tokenizer \{"):
            encoder_from_identity(identity, tmp_path)

    @pytest.mark.parametrize("change", [{"vocabulary": 300}, {"more": 1}])
    def test_one_that_says_other_things_is_refused(self, change: dict[str, Any], tmp_path: Path) -> None:
        identity = {**BytesEncoder().identity, **change}
        with pytest.raises(DataError, match=r"the tokenizer here is bytes, vocabulary 257, end of document"):
            encoder_from_identity(identity, tmp_path)


@pytest.mark.parametrize(
    ("library", "spec"),
    [("tokenizers", "FILE"), ("tiktoken", "tiktoken:gpt2"), ("huggingface_hub", "hf:a/b")],
)
def test_a_library_that_is_not_installed_is_named(
    library: str, spec: str, bpe_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=rf"needs {library}, which is not installed.*thermix\[data\]"):
        open_encoder(str(bpe_file) if spec == "FILE" else spec)


PROCESSES = """
import multiprocessing, os, pickle, sys
from thermix.prepare.encoders import limit_threads, open_encoder

def threads():
    return len(os.listdir("/proc/self/task"))

def work(encoder, texts, pipe):
    before = threads()
    limit_threads(1)
    tokens, _ = encoder.encode(texts)
    pipe.send((tokens.tolist(), threads() - before))

if __name__ == "__main__":
    method, used, spec = sys.argv[1:]
    texts = ["The quick brown fox, " * 50] * 200
    encoder = open_encoder(spec)
    encoder.check(texts)
    if used == "used":
        encoder.encode(texts)
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(encoder, texts, theirs))
    process.start()
    assert ours.poll(60), "the worker hangs"
    tokens, started = ours.recv()
    process.join()
    assert tokens == encoder.encode(texts)[0].tolist()
    assert started == 0, f"{started} threads were started"
"""


@pytest.mark.slow  # ten processes that each import a library
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads as Linux shows them")
class TestProcesses:
    @pytest.mark.parametrize("method", ["fork", "spawn"])
    @pytest.mark.parametrize("used", ["checked", "used"])
    @pytest.mark.parametrize("kind", ["bpe_file", "word_piece_file"])
    def test_a_worker_encodes_the_same_in_one_thread(
        self, method: str, used: str, kind: str, request: pytest.FixtureRequest, tmp_path: Path
    ) -> None:
        script = tmp_path / "script.py"
        script.write_text(PROCESSES)
        path: Path = request.getfixturevalue(kind)
        command = [sys.executable, "-W", "ignore", str(script), method, used, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        if used == "checked" or method == "spawn":  # after a fork in use, tokenizers warns that it was
            assert done.stderr == ""
