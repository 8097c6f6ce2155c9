"""Mistakes in what spares CPU time: direct calls of AWS, and what a run says through Ray."""

from tests.mutants.mutant import Mutant

_DIRECT = "tests/ingest/test_direct.py"
_BUNDLES = "tests/deployments/test_bundles.py"

MUTANTS = (
    Mutant(
        mistake="a call that AWS answered by a fault, and that the SDK does not make again",
        file="ingest/aws/direct.py",
        old="        return await self._by_sdk(operation, parameters)\n",
        new="        return {}\n",
        tests=_DIRECT,
    ),
    Mutant(
        mistake="a write whose condition is not met, made twice",
        file="ingest/aws/direct.py",
        old="if status == _REFUSED and",
        new="if False and",
        tests=_DIRECT,
    ),
    Mutant(
        mistake="an answer that is no JSON, taken for one without any fields",
        file="ingest/aws/client.py",
        old="        raise ResponseParserError\n",
        new="        return\n",
        tests="tests/ingest/test_aws_garbled.py",
    ),
    Mutant(
        mistake="a fault of the one who reads a garbled answer",
        file="ingest/aws/client.py",
        old="    except _UNREADABLE as exc:\n",
        new="    except ResponseParserError as exc:\n",
        tests="tests/ingest/test_aws_garbled.py",
    ),
    Mutant(
        mistake="a poll that ends its worker",
        file="ingest/receiver.py",
        old="        except Exception as exc:  # whatever one poll meets",
        new="        except Unavailable as exc:  # whatever one poll meets",
        tests="tests/ingest/test_worker_trouble.py",
    ),
    Mutant(
        mistake="an object's key whose signs have another meaning in a URL",
        file="ingest/aws/direct.py",
        old="quote(key, safe=_UNQUOTED)",
        new="key",
        tests=_DIRECT,
    ),
    Mutant(
        mistake="a session's token that is not signed",
        file="ingest/aws/signature.py",
        old="    if credentials.token:\n",
        new="    if False:\n",
        tests="tests/ingest/test_signature.py",
    ),
    Mutant(
        mistake="a preview that is lost to progress without one",
        file="deployments/bundles.py",
        old="(update.preview is None or newer.preview is not None)",
        new="True",
        tests=_BUNDLES,
    ),
    Mutant(
        mistake="progress that goes through Ray step by step",
        file="deployments/bundles.py",
        old="self._seconds, self.due.set",
        new="0, self.due.set",
        tests=_BUNDLES,
    ),
)
