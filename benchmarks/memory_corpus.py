"""Made-up conversations with made-up vectors, always the same for the same number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 384
# Vectors of sentences fill far fewer dimensions than they have; random ones in all 384 would have no
# neighbours to speak of.
_LATENT = 48
_TOPICS = 4_000
_WORDS = 40_000
_STOP_WORDS = 100
_WORDS_OF_TOPIC = 12
_TURNS_OF_SESSION = 20
_BEGINNING = datetime(2024, 1, 1, tzinfo=UTC)
_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """The memories of one scope. `vectors` has shape (memories, DIMENSIONS), float16, unit norm."""

    texts: Sequence[str]
    sessions: Sequence[str]
    observed: Sequence[datetime]
    vectors: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about one memory, its vector somewhere near that memory's."""

    text: str
    vector: NDArray[np.float32]


class Corpus:
    """A language with topics. Texts have 8 to 28 words, a third of them of the topic of their turn."""

    def __init__(self, seed: int = 7) -> None:
        random = np.random.default_rng(seed)
        self._words = np.array(["".join(_spelled(number)) for number in range(_WORDS)])
        # Zipf's law without its beginning: the most frequent words of a language are no terms.
        share = 1 / np.arange(_STOP_WORDS, _STOP_WORDS + _WORDS)
        self._cumulated = np.cumsum(share / share.sum())
        self._topics = random.standard_normal((_TOPICS, _LATENT)).astype(np.float32)
        self._vocabulary = random.integers(200, _WORDS, (_TOPICS, _WORDS_OF_TOPIC))
        self._projection = random.standard_normal((_LATENT, DIMENSIONS)).astype(np.float32)

    def conversation(self, number: int, memories: int) -> Conversation:
        random = np.random.default_rng([11, number])
        topics = self._topics_of_turns(random, memories)
        lengths = random.integers(8, 29, memories)
        ends = np.cumsum(lengths)
        topic_of_word = np.repeat(topics, lengths)
        any_word = np.searchsorted(self._cumulated, random.random(ends[-1]))
        of_topic = self._vocabulary[topic_of_word, random.integers(0, _WORDS_OF_TOPIC, ends[-1])]
        words = self._words[np.where(random.random(ends[-1]) < 1 / 3, of_topic, any_word)]
        texts = [" ".join(words[end - length : end]) for end, length in zip(ends, lengths, strict=True)]
        latent = self._topics[topics] + 0.7 * random.standard_normal((memories, _LATENT)).astype(np.float32)
        return Conversation(
            texts=texts,
            sessions=[f"session-{turn // _TURNS_OF_SESSION}" for turn in range(memories)],
            observed=[_BEGINNING + timedelta(minutes=turn) for turn in range(memories)],
            vectors=self._embedded(latent).astype(np.float16),
        )

    def questions(self, conversation: Conversation, count: int, seed: int = 13) -> list[Asked]:
        """Four words of a memory, and a vector at a cosine of about 0.8 from it."""
        random = np.random.default_rng(seed)
        asked = []
        for at in random.integers(0, len(conversation.texts), count):
            words = conversation.texts[at].split()
            vector = conversation.vectors[at].astype(np.float32)
            noise = random.standard_normal(_LATENT).astype(np.float32) @ self._projection
            vector = vector + 0.75 * noise / np.linalg.norm(noise)
            chosen = random.choice(words, 4, replace=False)
            asked.append(Asked(" ".join(chosen), vector / np.linalg.norm(vector)))
        return asked

    def _topics_of_turns(self, random: np.random.Generator, memories: int) -> NDArray[np.int64]:
        sessions = -(-memories // _TURNS_OF_SESSION)
        of_sessions = random.integers(0, _TOPICS, (sessions, 3))
        turns = np.arange(memories) // _TURNS_OF_SESSION
        return of_sessions[turns, random.integers(0, 3, memories)]

    def _embedded(self, latent: NDArray[np.float32]) -> NDArray[np.float32]:
        vectors = latent @ self._projection
        unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


def _spelled(number: int) -> list[str]:
    syllables = []
    number += len(_SYLLABLES)
    while number:
        number, rest = divmod(number, len(_SYLLABLES))
        syllables.append(_SYLLABLES[rest])
    return syllables
