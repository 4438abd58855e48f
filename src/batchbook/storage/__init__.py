"""What must survive: file operations, the lock, the atomic saver, backups, the ledger."""

from batchbook.storage.backups import Backup, BackupStore
from batchbook.storage.edit import EditReceipt, edit_workbook
from batchbook.storage.ledger import Ledger
from batchbook.storage.lock import LockInfo, WorkbookLock, break_lock, read_lock
from batchbook.storage.owners import Owner, check_not_open, owner_of
from batchbook.storage.saver import AtomicSaver, SaveJournal, SaveReceipt, WorkbookChanged

__all__ = [
    "AtomicSaver",
    "Backup",
    "BackupStore",
    "EditReceipt",
    "Ledger",
    "LockInfo",
    "Owner",
    "SaveJournal",
    "SaveReceipt",
    "WorkbookChanged",
    "WorkbookLock",
    "break_lock",
    "check_not_open",
    "edit_workbook",
    "owner_of",
    "read_lock",
]
