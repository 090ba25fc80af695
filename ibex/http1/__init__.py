"""An HTTP/1.1 client for one origin: as little as it takes to send JSON and read an answer, fast.

General clients spend more on a request than the rest of the request path together. This one sends a request
in one write, lets llhttp parse the answer, keeps connections, and hands on bytes as they arrive.
"""

from ibex.http1.answer import Answer
from ibex.http1.client import HttpClient
from ibex.http1.errors import BrokenAnswerError, UnreachableError

__all__ = ["Answer", "BrokenAnswerError", "HttpClient", "UnreachableError"]
