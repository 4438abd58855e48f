"""The online sources that a job names, ready to be asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from batchbook.batch import JobContext
from batchbook.errors import ConfigurationError
from batchbook.packages.cvefacts import CveSource
from batchbook.packages.options import PackageReviewOptions
from batchbook.packages.releases import ReleaseSource
from batchbook.packages.sources import AdvisorySource


class GatheringSource(AdvisorySource, Protocol):
    """A source of advisories that asks for several packages at once."""

    def expect(self, names: Iterable[str]) -> None:
        """These will be looked up soon."""
        ...


@dataclass(frozen=True, slots=True)
class Online:
    """What a job's online sources are; `held` is closed at the end of a run."""

    advisories: Sequence[GatheringSource] = ()
    releases: ReleaseSource | None = None
    cves: CveSource | None = None
    held: ExitStack = field(default_factory=ExitStack)


def online_sources(options: PackageReviewOptions, context: JobContext) -> Online:
    """The sources that the options name; ConfigurationError where the packages that they need are not installed."""
    if options.index is None and options.osv is None and options.nvd is None:
        return Online()
    try:
        from batchbook.packages.online.index import SimpleIndex, default_index
        from batchbook.packages.online.network import Network, basic_auth
        from batchbook.packages.online.nvd import NvdApi
        from batchbook.packages.online.osv import OsvApi
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f"The job asks for online sources, which need the package {missing.name!r}; it is not installed.",
            "Install them: pip install 'batchbook[online]'.",
        ) from None
    held = ExitStack()
    network = Network(options.network, context.cache, offline=context.offline)
    held.callback(network.close)
    advisories, releases, cves = [], None, None
    if options.osv is not None:
        osv = OsvApi(network.endpoint(options.osv.url, options.osv.rate), options.osv.url, options.osv.name)
        held.callback(osv.close)
        advisories.append(osv)
    if options.index is not None:
        given, url = options.index, options.index.url or default_index()
        way = network.endpoint(url, given.rate, auth=basic_auth(given.username, given.password))
        releases = SimpleIndex(way, url, given.name)
    if options.nvd is not None:
        nvd = options.nvd
        # It answers 403 to a client that asks too often, and to one without a key.
        way = network.endpoint(nvd.url, nvd.rate, headers={"apiKey": nvd.api_key}, again=frozenset((403,)))
        cves = NvdApi(way, nvd.url, nvd.name, timedelta(days=nvd.max_age_days), options.links.advisory.get("CVE-", ""))
    return Online(advisories, releases, cves, held)
