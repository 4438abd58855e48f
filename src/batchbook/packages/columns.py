"""The columns of the package review and its sheet of advisories."""

from __future__ import annotations

from collections.abc import Mapping

from batchbook.batch import DetailSheet, SheetColumn

WRITES = (
    "date_published",
    "latest_version",
    "latest_link",
    "latest_date",
    "requires",
    "development_status",
    "github_url",
    "github_advisory_url",
    "github_advisory_result",
    "nvd_url",
    "nvd_result",
    "mitre_cve_url",
    "mitre_cve_result",
    "snyk_url",
    "snyk_result",
    "exploit_db_url",
    "exploit_db_result",
    "recommendation",
)
"""What a job writes that has no `writes:` of its own."""
MAY_WRITE = (
    "security_status",
    "advisory_ids",
    "highest_severity",
    "known_exploited",
    "first_fixed",
    "latest_affected",
    "behind_by",
    "yanked",
    "python_fits",
    "data_dates",
)
"""What is filled only for a job that names it in `writes:`."""
COLUMNS: Mapping[str, str | list[str]] = {
    "index": ["Index", "No."],
    "package_name": ["Package Name", "Package"],
    "version": ["Version in Use", "Version"],
    "package_link": "PyPI Link",
    "date_published": "Date Published",
    "latest_version": "Latest Version",
    "latest_link": "Latest Version Link",
    "latest_date": "Latest Release Date",
    "requires": "Requires",
    "development_status": "Development Status",
    "github_url": "GitHub URL",
    "github_advisory_url": "GitHub Advisory URL",
    "github_advisory_result": "GitHub Advisory Result",
    "notes": "Notes",
    "nvd_url": "NVD URL",
    "nvd_result": "NVD Result",
    "mitre_cve_url": "MITRE CVE URL",
    "mitre_cve_result": "MITRE CVE Result",
    "snyk_url": "Snyk URL",
    "snyk_result": "Snyk Result",
    "exploit_db_url": "Exploit-DB URL",
    "exploit_db_result": "Exploit-DB Result",
    "recommendation": "Recommendation",
    "security_status": "Security Status",
    "advisory_ids": "Advisory IDs",
    "highest_severity": "Highest Severity",
    "known_exploited": "Known Exploited",
    "first_fixed": "First Fixed Version",
    "latest_affected": "Latest Affected",
    "behind_by": "Behind By",
    "yanked": "Yanked",
    "python_fits": "Python Fits",
    "data_dates": "Data Dates",
    "decision": "Decision",
    "justification": "Justification",
}
"""Own names and headers; those that are not written are people's."""

ADVISORIES = "Advisories"
ADVISORIES_SHEET = DetailSheet(
    columns=(
        SheetColumn("Package Name", 24),
        SheetColumn("Version", 12),
        SheetColumn("Status", 14),
        SheetColumn("Advisory", 20),
        SheetColumn("Aliases", 40),
        SheetColumn("Summary", 40),
        SheetColumn("Severity", 24),
        SheetColumn("Affected Range", 36),
        SheetColumn("First Fixed Version", 20),
        SheetColumn("Link", 24),
        SheetColumn("Known Exploited", 18),
        SheetColumn("Source and Date", 36),
        SheetColumn("Sources Disagree", 60),
    ),
    key=1,
    earlier=(12,),
)
