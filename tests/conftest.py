"""Set-up for all tests: a cache directory of their own, no options from outside, fixed draws."""

import os
import shutil
import tempfile

from hypothesis import HealthCheck, settings

for _name in [name for name in os.environ if name.startswith("AKG_")]:
    del os.environ[_name]
_cache = tempfile.mkdtemp(prefix="akg-test-cache-")
os.environ["AKG_CACHE_DIR"] = _cache

_quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile("akg", deadline=None, derandomize=True, print_blob=True, suppress_health_check=_quiet)
settings.load_profile("akg")


def pytest_unconfigure() -> None:
    shutil.rmtree(_cache, ignore_errors=True)
