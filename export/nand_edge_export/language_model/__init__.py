"""Phrases from a language model behind any OpenAI-compatible endpoint; asked only when the user names one."""

from nand_edge_export.language_model.approval import approve, require_approver
from nand_edge_export.language_model.cache import ReplyCache, user_cache
from nand_edge_export.language_model.endpoint import KEY_VARIABLE
from nand_edge_export.language_model.model import LanguageModel

__all__ = ["KEY_VARIABLE", "LanguageModel", "ReplyCache", "approve", "require_approver", "user_cache"]
