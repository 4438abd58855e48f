"""The package review: what is known about each Python package in use, and what to do about it."""

from batchbook.packages.options import PackageReviewOptions
from batchbook.packages.review import PackageReview

__all__ = ["PackageReview", "PackageReviewOptions"]
