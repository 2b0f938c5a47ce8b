"""The bare loop: a session of aiohttp, a semaphore, and a wait after a 429. Told: URL, requests, parallel."""

from __future__ import annotations

import asyncio
import json
import sys
import time

import aiohttp


async def main(url: str, count: int, parallel: int) -> dict[str, float]:
    places, replies = asyncio.Semaphore(parallel), list[str]()
    pool = aiohttp.TCPConnector(limit=parallel)
    async with aiohttp.ClientSession(connector=pool) as session:

        async def ask(number: int) -> None:
            body = {
                "model": "m",
                "messages": [{"role": "user", "content": f"question {number}"}],
                "max_tokens": 1024,
            }
            async with places:
                while True:
                    async with session.post(f"{url}/chat/completions", json=body) as response:
                        answer = await response.json()
                    if response.status != 429:
                        break
                    await asyncio.sleep(float(response.headers["Retry-After"]))
            replies.append(answer["choices"][0]["message"]["content"])

        cpu, wall = time.process_time(), time.monotonic()
        await asyncio.gather(*(ask(number) for number in range(count)))
        return {
            "cpu_s": time.process_time() - cpu,
            "wall_s": time.monotonic() - wall,
            "replies": len(replies),
        }


print(json.dumps(asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
