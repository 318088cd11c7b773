"""The least an aiohttp server on uvloop can do with a notification: read it, and answer 202. What ack is compared with."""

import sys

import uvloop
from aiohttp import web


async def answer(http: web.Request) -> web.Response:
    """Take the body, and forget it."""
    await http.content.read()
    return web.Response(status=202)


def main() -> None:
    """Serve on the port that the command line names."""
    app = web.Application()
    app.add_routes([web.post("/events", answer), web.get("/readyz", answer)])
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None, backlog=1_024)


if __name__ == "__main__":
    main()
