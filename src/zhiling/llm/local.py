"""A causal language model in this process, behind the interface of a server: a role with `path`.

    models: {small: {path: models/some-model}}

It answers chats and completions one after the other. What it cannot do is told, never left out in silence:
pictures, tools and vectors are rejected. A JSON schema is not enforced while it writes, only checked later.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import orjson

from zhiling.errors import ZhilingError
from zhiling.llm.causal import CausalLM, load_causal_lm
from zhiling.llm.conversation import Turn, prompt_text
from zhiling.llm.device import Device
from zhiling.llm.endpoints import Endpoint
from zhiling.llm.failures import CallFailure, FailureClass, Stop
from zhiling.llm.pretrained import require
from zhiling.llm.transport import Answer, Broken
from zhiling.llm.wire import Json


class LocalTransport:
    """Answers with a model that is loaded with the first request, in a thread of its own."""

    def __init__(self, folder: Path, device: Device) -> None:
        self._folder = folder
        self._device: Device = device
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="zhiling-local")

    async def send(self, endpoint: Endpoint, path: str, body: bytes) -> Answer:
        """The answer in the protocol's form."""
        asked: Json = orjson.loads(body)
        tree = await asyncio.get_running_loop().run_in_executor(self._thread, self._answer, path, asked)
        return Answer(200, {}, b"", tree)

    async def close(self) -> None:
        """Waits for what is being written."""
        self._thread.shutdown()

    def _answer(self, path: str, asked: Json) -> Json:
        try:
            model = load_causal_lm(self._folder, self._device)
        except ZhilingError as error:
            raise Stop(error) from None
        if path == "embeddings" or asked.get("tools"):
            raise self._rejected("a local language model gives no vectors and calls no tools")
        prompt = self._prompt(model, asked)
        room = model.context - len(prompt)
        if not prompt or room < 1:
            raise self._rejected(f"the prompt has {len(prompt)} tokens, the model takes {model.context}")
        choices, completion = _written(model, prompt, asked, room)
        total = {"prompt_tokens": len(prompt), "completion_tokens": completion}
        return {"model": asked.get("model") or self._folder.name, "choices": choices, "usage": total}

    def _prompt(self, model: CausalLM, asked: Json) -> list[int]:
        if "prompt" in asked:
            return [*model.beginning, *model.tokenise([asked["prompt"]])[0]]
        if any(not isinstance(message["content"], str) for message in asked["messages"]):
            raise self._rejected("a local language model sees no pictures")
        text = prompt_text(
            model.tokenizer, [Turn(message["role"], message["content"]) for message in asked["messages"]]
        )
        if text is None:
            raise self._rejected("the model's chat template does not take these roles")
        return [*model.opening, *model.tokenise([text])[0]]

    def _rejected(self, message: str) -> Broken:
        return Broken(CallFailure(FailureClass.REJECTED, message, str(self._folder)), charged=False)


def _written(model: CausalLM, prompt: Sequence[int], asked: Json, room: int) -> tuple[list[Json], int]:
    """The choices, and how many tokens they have together."""
    torch = require("torch")
    inputs = torch.tensor([list(prompt)], device=next(model.network.parameters()).device)
    temperature = asked.get("temperature", 1.0)
    sampled: Json = {"do_sample": False}
    if temperature > 0:
        sampled = {
            "do_sample": True,
            "temperature": temperature,
            "top_p": asked.get("top_p", 1.0),
            "top_k": 0,
        }
    most = min(asked["max_tokens"], room)
    choices: list[Json] = []
    count = 0
    # The state of the process's generator stays as it was: nothing else may depend on what is asked here.
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(asked.get("seed", secrets.randbits(63)))
        for index in range(asked.get("n", 1)):
            made = cast(Any, model.network).generate(
                inputs, attention_mask=torch.ones_like(inputs), max_new_tokens=most, **sampled,
                pad_token_id=model.tokenizer.pad_token_id or model.tokenizer.eos_token_id or 0,
                return_dict_in_generate=True, output_logits=True,
            )  # fmt: skip
            ids: list[int] = made.sequences[0, len(prompt) :].tolist()
            choices.append(_choice(model, asked, index, ids, made.logits))
            count += len(ids)
    return choices, count


def _choice(model: CausalLM, asked: Json, index: int, ids: Sequence[int], logits: Any) -> Json:
    """One reply in the protocol's form; it ends before the first of `stop`."""
    ended = bool(ids) and ids[-1] == model.tokenizer.eos_token_id
    text: str = model.tokenizer.decode(list(ids), skip_special_tokens=True)
    places = [text.find(stop) for stop in asked.get("stop") or () if stop in text]
    text = text[: min(places)] if places else text
    choice: Json = {"index": index, "finish_reason": "stop" if ended or places else "length"}
    if "prompt" in asked:
        return choice | {"text": text}
    if asked.get("logprobs"):
        choice["logprobs"] = {"content": _chances(model, ids, logits, asked.get("top_logprobs", 0))}
    return choice | {"message": {"role": "assistant", "content": text}}


def _chances(model: CausalLM, ids: Sequence[int], logits: Any, others: int) -> list[Json]:
    """The log-probability (nats) of each token that was written, and of the likeliest in its place."""
    return [
        _chance(model, token, scores[0].double().log_softmax(dim=0), others)
        for token, scores in zip(ids, logits, strict=True)
    ]


def _chance(model: CausalLM, token: int, logs: Any, others: int) -> Json:
    best: list[int] = logs.topk(others).indices.tolist() if others else []
    told = [
        {"token": model.tokenizer.decode([each]), "logprob": float(logs[each])} for each in [token, *best]
    ]
    return told[0] | {"top_logprobs": told[1:]}
