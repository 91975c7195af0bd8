"""Clients that ask without a pause while something happens to the daemon."""

import collections
import http.client
import select
import threading
import time

from conftest import wait_for


def is_dropped(sock):
    """The other side has ended a connection on which nothing is under way: a client that looks
    before it sends, as they do, does not ask there."""
    return sock is not None and select.select([sock], [], [], 0)[0] != []


class Load:
    """From the start of the block to its end, a connection each; with keep_alive=False, a connection
    a request. Answers are counted by status and body; what came in place of one is in `failures`."""

    def __init__(self, address, body=None, path="/predict", n_clients=4, keep_alive=True,
                 until_closed=False):
        self.address, self.body, self.path = address, body, path
        self.headers = {} if keep_alive else {"Connection": "close"}
        self.until_closed = until_closed  # a client leaves when it is told that its connection ends
        self.answers, self.failures, self.seconds = collections.Counter(), [], []
        self.n_closed = 0
        self.lock, self.over = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.ask) for _ in range(n_clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def ask_once(self, connection):
        began = time.monotonic()
        connection.request("GET" if self.body is None else "POST", self.path, self.body, self.headers)
        answer = connection.getresponse()
        body = answer.read()
        with self.lock:
            self.answers[answer.status, body] += 1
            self.seconds.append(time.monotonic() - began)
            self.n_closed += answer.will_close
        return answer.will_close

    def ask(self):
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        while not self.over.is_set():
            try:
                dropped = is_dropped(connection.sock)
                if dropped:
                    connection.close()
                if (dropped or self.ask_once(connection)) and self.until_closed:
                    break
            except (OSError, http.client.HTTPException) as failure:
                connection.close()
                self.failures.append(failure)
        connection.close()

    def n_answers(self):
        with self.lock:
            return sum(self.answers.values())

    def n_failed(self):
        """Requests without an answer, or with one that is not 200."""
        with self.lock:
            return len(self.failures) + sum(n for (status, _), n in self.answers.items()
                                            if status != 200)

    def wait_for_more(self, n=50):
        before = self.n_answers()
        wait_for(lambda: self.n_answers() >= before + n, 60, "answers")

    def check(self):
        """None failed, and all say the same."""
        assert self.failures == []
        assert len(self.answers) == 1 and {status for status, _ in self.answers} == {200}, self.answers
