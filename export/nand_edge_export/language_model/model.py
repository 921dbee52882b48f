"""A language model that gives the phrases of a normality."""

from __future__ import annotations

from dataclasses import dataclass

from nand_edge.errors import NandEdgeError
from nand_edge.phrases import without_talk
from nand_edge.phrases.sentences import clean_object
from nand_edge_export.language_model.cache import ReplyCache, cache_key
from nand_edge_export.language_model.endpoint import OFFLINE, ask, require_url
from nand_edge_export.language_model.reply import UnusableReplyError, phrases_in
from nand_edge_export.language_model.request import RESPONSE_FORMAT, messages_for

_QUESTIONS = 2
_MAX_NAME_CHARACTERS = 200


@dataclass(frozen=True)
class LanguageModel:
    """A model behind an OpenAI-compatible endpoint.

    Args:
        url: The endpoint, such as http://localhost:8000/v1.
        name: The model's name there.
        timeout: Seconds that the endpoint may be silent.
        retries: How often to ask again after a time-out, a lost connection or HTTP 408, 409, 429 and 5xx.
        cache: Replies from earlier; None asks each time.

    Raises:
        NandEdgeError: The URL or the name cannot be one.
    """

    url: str
    name: str
    timeout: float = 60.0
    retries: int = 2
    cache: ReplyCache | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", require_url(self.url))
        if not self.name.strip() or not self.name.isprintable() or len(self.name) > _MAX_NAME_CHARACTERS:
            raise NandEdgeError(
                "--llm-model",
                found=ascii(self.name[:40]),
                needed="the name of a model at the endpoint",
                do="take one that it lists",
            )

    def phrases_for(self, text: str, object_name: str) -> tuple[str, ...]:
        """Phrases for a defect, as `nand_edge.phrases.phrases_for` gives them by rule.

        A reply that does not hold phrases is asked for once more.

        Args:
            text: The normality's words.
            object_name: What is inspected.

        Raises:
            NandEdgeError: The words ask for the opposite, the endpoint does not answer, or not with phrases.
        """
        messages = messages_for(without_talk(text), clean_object(object_name))
        key = cache_key(self.url, self.name, messages, RESPONSE_FORMAT)
        kept = self.cache.read(key) if self.cache else None
        if kept is not None:
            try:
                return phrases_in(kept, text=text, object_name=object_name)
            except UnusableReplyError:
                # Damaged, or kept by a version that was less strict.
                kept = None
        found = ""
        for _ in range(_QUESTIONS):
            try:
                reply = ask(self.url, self.name, messages, timeout=self.timeout, retries=self.retries)
                phrases = phrases_in(reply, text=text, object_name=object_name)
            except UnusableReplyError as unusable:
                found = str(unusable)
            else:
                if self.cache:
                    self.cache.write(key, reply)
                return phrases
        raise NandEdgeError(
            f"language model {self.name!r}",
            found=f"{found}, {_QUESTIONS} times",
            needed="a JSON list of short phrases that name the object",
            do=f"take another model, {OFFLINE}",
        )
