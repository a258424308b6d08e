"""Pipes: promptness, order, memory, interruption."""

import os
import resource
import signal
import subprocess
import threading
import unittest

from support import FNET, CliTest, fnet

LINES = int(os.environ.get("FNET_TEST_LINES", "20000"))


class Stream(CliTest):
    def start(self, *arguments, **options):
        process = subprocess.Popen([str(FNET), *map(str, arguments)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # fmt: skip
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass

    def test_each_line_is_answered_before_the_next_is_typed(self):
        process = self.start("predict", self.classifier)
        for _ in range(3):
            process.stdin.write(b"the cat sat\n")
            process.stdin.flush()
            self.assertIn(b"\t", process.stdout.readline())

    def test_long_stream_keeps_its_order_in_bounded_memory(self):
        """FNET_TEST_LINES=1000000 for the whole million."""
        process = self.start("predict", self.classifier, "--format", "jsonl", "--max-length", 8)

        def feed():
            for i in range(LINES):
                process.stdin.write(b"the cat sat on the mat number %d " % i + b"and so on " * 20 + b"\n")
            process.stdin.close()

        feeder = threading.Thread(target=feed)
        feeder.start()
        peak = 0
        for i in range(LINES):
            line = process.stdout.readline()
            self.assertTrue(line.startswith(b'{"line":%d,' % (i + 1)), line)
            if i % 1000 == 999:
                with open(f"/proc/{process.pid}/status") as status:
                    rows = [row for row in status if row.startswith("VmHWM")]  # none once it has ended
                peak = int(rows[0].split()[1]) if rows else peak
        feeder.join()
        self.assertEqual(process.wait(30), 0)
        sanitized = "asan" in str(FNET) or "tsan" in str(FNET)
        self.assertGreater(peak, 0)
        if not sanitized:
            self.assertLess(peak, 100_000, "kB at the peak")

    def test_reader_that_goes_away_is_no_error_message(self):
        process = self.start("predict", self.classifier)
        process.stdout.close()
        try:
            process.stdin.write(b"the cat sat\n" * 1000)
            process.stdin.close()
        except BrokenPipeError:
            pass
        process.wait(30)
        self.assertEqual(process.stderr.read(), b"")

    def test_ignored_sigpipe_is_quiet_too(self):
        process = self.start("predict", self.classifier, restore_signals=False,
                             preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))  # fmt: skip
        process.stdout.close()
        process.stdin.write(b"the cat sat\n")
        process.stdin.close()
        self.assertEqual(process.wait(30), 1)
        self.assertEqual(process.stderr.read(), b"")

    def test_full_disk_is_an_error(self):
        with open("/dev/full", "wb") as full:
            result = subprocess.run([str(FNET), "predict", str(self.classifier)], input=b"the cat\n", stdout=full,
                                    stderr=subprocess.PIPE)  # fmt: skip
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"standard output", result.stderr)

    def test_ctrl_c_is_130(self):
        process = self.start("predict", self.classifier)
        process.stdin.write(b"the cat\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(10), 130)

    def test_results_and_log_do_not_mix(self):
        result = fnet("tokenizer", "train", "--input", self.corpus, "--vocab-size", 60, "--out", self.folder / "m")
        self.assertEqual((result.returncode, result.stdout), (0, ""))
        self.assertIn("60 pieces", result.stderr)
        quiet = fnet("tokenizer", "train", "--input", self.corpus, "--vocab-size", 60, "--out", self.folder / "n",
                     "--log-level", "off")  # fmt: skip
        self.assertEqual(quiet.stderr, "")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    unittest.main()
