"""A page whose visitors are measured if they agree, and the service behind it.

In this folder:       npm install && npm run build
In one terminal:      bear-otel tail
In another one:       OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 python app.py

Then open http://127.0.0.1:8000, agree, click around, and leave the page.
"""

from __future__ import annotations

from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi.responses import FileResponse

import bear_otel

HERE = Path(__file__).parent

bear_otel.start(
    {
        "users": {
            "enabled": True,
            "rum_enabled": True,
            "features": ["chat"],
            # Everybody, and devices as they are: there is one visitor.
            "sampling": 1.0,
            "device_min_sessions": 1,
        }
    }
)
app = FastAPI()


@app.get("/")
def get_page() -> FileResponse:
    """Return the page."""
    return FileResponse(HERE / "index.html")


@app.get("/page.js")
def get_script() -> FileResponse:
    """Return the script that `npm run build` has made."""
    return FileResponse(HERE / "dist" / "page.js")


if __name__ == "__main__":
    uvicorn.run(app, port=8000)
