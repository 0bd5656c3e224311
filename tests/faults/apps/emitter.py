"""Leave counted spans, log records and a sum, and write down when each was left.

python emitter.py JOURNAL NAME RATE SECONDS
"""

from __future__ import annotations

import logging
import os
import sys
import time

from opentelemetry import metrics, trace

journal, name, rate, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
tracer = trace.get_tracer("emitter")
jobs = metrics.get_meter("emitter").create_counter("emitter.jobs")
logger = logging.getLogger("emitter")
logger.addHandler(logging.NullHandler())
# Each line is one write: a kill loses none that has been left.
descriptor = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

start = time.monotonic()
number = 0
while (now := time.monotonic()) < start + seconds:
    while number < (now - start) * rate:
        job = f"job-{name}-{number}"
        tracer.start_span(job).end()
        logger.warning("%s", job)
        jobs.add(1)
        os.write(descriptor, f"{time.time()} {job}\n".encode())
        number += 1
    time.sleep(0.005)
