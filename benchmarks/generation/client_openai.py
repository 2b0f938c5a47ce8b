"""The vendor's client as its guide shows it: AsyncOpenAI and a semaphore. Told: URL, requests, parallel."""

from __future__ import annotations

import asyncio
import json
import sys
import time

import openai


async def main(url: str, count: int, parallel: int) -> dict[str, float]:
    places, replies = asyncio.Semaphore(parallel), list[str]()
    async with openai.AsyncOpenAI(base_url=url, api_key="none") as client:

        async def ask(number: int) -> None:
            async with places:
                try:
                    answer = await client.chat.completions.create(
                        model="m",
                        messages=[{"role": "user", "content": f"question {number}"}],
                        max_tokens=1024,
                    )
                except openai.APIError:  # refused for the third time, or no connection in five seconds
                    return
            replies.append(answer.choices[0].message.content or "")

        cpu, wall = time.process_time(), time.monotonic()
        await asyncio.gather(*(ask(number) for number in range(count)))
        return {
            "cpu_s": time.process_time() - cpu,
            "wall_s": time.monotonic() - wall,
            "replies": len(replies),
        }


print(json.dumps(asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
