"""What can be wrong with a row of a body's sheet: the closed list of codes, in both languages."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from services.domain.advice import ADVICE
from services.domain.details import in_chinese
from services.domain.errors import Refusal, every_error


@dataclass(frozen=True, slots=True)
class Words:
    """What a code says and what to do, in both languages."""

    zh: str
    en: str
    hint_zh: str
    hint_en: str


ARROW = "  → "


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and what to do about it.

    `line` is the row's number in the sheet, from 1 on, as spreadsheet programs count; `column` the sheet's own heading,
    empty where the whole row is meant; `value` what stands there, shortened. `detail` says more where the code's own
    words do not tell it all; behind an `ARROW` it has the register's own hint for the case, `Chinese · English`.
    """

    line: int
    column: str
    value: str
    code: str
    detail: str = ""

    @property
    def zh(self) -> str:
        said, arrow, hint = self.detail.partition(ARROW)
        return _with(words_of(self.code).zh, f"{in_chinese(said) or said}{arrow}{hint.partition(' · ')[0]}")

    @property
    def en(self) -> str:
        said, arrow, hint = self.detail.partition(ARROW)
        return _with(words_of(self.code).en, f"{said}{arrow}{hint.rpartition(' · ')[2]}")

    @property
    def hint_zh(self) -> str:
        return words_of(self.code).hint_zh

    @property
    def hint_en(self) -> str:
        return words_of(self.code).hint_en

    def as_dict(self) -> dict[str, object]:
        """The fault as the command's JSON answer has it."""
        return {
            "line": self.line,
            "column": self.column,
            "value": self.value,
            "code": self.code,
            "zh": self.zh,
            "en": self.en,
            "hint": {"zh": self.hint_zh, "en": self.hint_en},
        }


def _with(words: str, detail: str) -> str:
    return f"{words}: {detail}" if detail else words


@cache
def words_of(code: str) -> Words:
    """The words of a code: of our own, or of the register's error with that slug."""
    if code in FAULTS:
        return FAULTS[code]
    error = every_error().get(code, Refusal)
    return Words(error.zh, error.title, *HINTS.get(code, _SEE))


class BadCell(Exception):
    """A cell that cannot be read; `code` is one of FAULTS."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


FAULTS: Mapping[str, Words] = MappingProxyType(
    {
        # --- cells that cannot be read -------------------------------------------------------------------
        "missing": Words(
            "必填的单元格为空",
            "a required cell is empty",
            "填写该列；合并的单元格须先取消合并，或用 --set 给整份文件一个值",
            "fill it in; unmerge merged cells first, or give one value for the whole file with --set",
        ),
        "digits-lost": Words(
            "表格程序把号码存成了数值，数字已经丢失（只保留15位有效数字）",
            "the spreadsheet program kept the number as a quantity and lost digits (it keeps 15)",
            "把该列设为文本格式，重新从业务系统导出",
            "format the column as text and export it again from where the numbers come from",
        ),
        "zero-lost": Words(
            "代码是数值单元格，前导零可能已经丢失",
            "the code is a numeric cell and may have lost its leading zero",
            "把该列设为文本格式，写成 0703",
            "format the column as text and write 0703",
        ),
        "turned-into-date": Words(
            "表格程序把内容变成了日期",
            "the spreadsheet program turned the content into a date",
            "把该列设为文本格式，重新填写",
            "format the column as text and write it again",
        ),
        "cell-error": Words(
            "单元格是表格程序的错误值或逻辑值",
            "the cell holds an error or a truth value of the spreadsheet program",
            "改为文本",
            "write it as text",
        ),
        "bad-date": Words(
            "不是日期",
            "not a date",
            "写成 2026-01-05、2026/1/5、2026年1月5日或 20260105",
            "write 2026-01-05, 2026/1/5 or 20260105",
        ),
        "unclear-date": Words(
            "日期有多种读法（日月顺序不明、两位年份，或未设日期格式的序号）",
            "the date can be read in several ways (order of day and month, a short year, or a bare serial number)",
            "把单元格设为日期格式，或写成 2026-01-05",
            "format the cell as a date, or write 2026-01-05",
        ),
        "bad-gtin": Words(
            "商品条码的位数或校验位不对",
            "wrong length or check digit of a GTIN",
            "8、12、13或14位数字，对照包装核对",
            "8, 12, 13 or 14 digits; compare with the package",
        ),
        "bad-credit-code": Words(
            "统一社会信用代码的格式或校验码不对",
            "wrong form or check character of a credit code",
            "18位，对照营业执照核对（GB 32100）",
            "18 characters; compare with the business licence (GB 32100)",
        ),
        "bad-count": Words("不是整数", "not a whole number", "只写数字", "write digits only"),
        "bad-measure": Words("不是数值", "not a quantity", "只写数字和小数点", "write digits and a point only"),
        "unknown-event": Words(
            "没有这种事件",
            "no such event",
            "发证、换证、暂停、恢复、撤销、注销、监督通过、标志授权，或其英文代号",
            "issued, renewed, suspended, resumed, revoked, cancelled, surveillance_passed, mark_authorized",
        ),
        "unknown-scheme-name": Words(
            "不认识的认证制度",
            "an unknown scheme",
            "写制度代号，如 ccc、qms，或其全称",
            "write the scheme's id, such as ccc or qms, or its whole name",
        ),
        "unknown-mark-name": Words(
            "不认识的标志",
            "an unknown mark",
            "写标志代号，如 shanghai-brand，或其名称",
            "write the mark's id, such as shanghai-brand, or its name",
        ),
        "unknown-reason-word": Words(
            "不是这种事件的原因代码",
            "not a reason of this event",
            "暂停用 S01–S12，撤销用 R01–R11，注销用 C01–C06，或其中文全文",
            "S01–S12 to suspend, R01–R11 to revoke, C01–C06 to cancel, or the whole Chinese text",
        ),
        "unknown-word": Words("不认识的词", "an unknown word", "见 docs/import.md 的列表", "see docs/import.md"),
        "bad-attribute": Words(
            "绿色属性的写法不对",
            "a green attribute that cannot be read",
            "名称=值 单位，如 VOC=18 g/L",
            "name=value unit, such as VOC=18 g/L",
        ),
        "bad-form": Words(
            "不符合事件的格式",
            "does not have the form that the event asks for",
            "见 docs/events.zh-CN.md 中该事件的成员",
            "see the event's members in docs/events.md",
        ),
        # --- rows that do not fit together ------------------------------------------------------------------
        "cells-beyond": Words(
            "该行的单元格多于标题",
            "the row has more cells than there are headings",
            "检查是否有未加引号的逗号",
            "look for a comma outside quotes",
        ),
        "lists-differ": Words(
            "两列的项数不同，无法一一对应",
            "the two columns have different numbers of items and cannot be matched",
            "每项各占一行，或补齐项数",
            "give each item a row of its own, or make the lists equally long",
        ),
        "needs-the-other": Words(
            "这一列须与另一列同时填写",
            "this column goes together with another one",
            "产品名称与规格型号须同时填写；生产者、生产企业和基地须有名称",
            "a product needs its name and its models; a manufacturer, a factory and a base need a name",
        ),
        "not-for-this-event": Words(
            "这种事件没有这一列",
            "this event does not take this column",
            "清空该单元格，或在“事件”列写明是什么事件",
            "empty the cell, or say in the event column what the row reports",
        ),
        "status-not-imported": Words(
            "证书状态不是有效，而本行会把它登记为有效",
            "the status is not valid, and the row would make the certificate valid",
            "清空状态，并在其后加上暂停、撤销或注销的事件行",
            "empty the status, and add rows behind it for the suspension, revocation or cancellation",
        ),
        "rows-disagree": Words(
            "同一证书的相邻各行在这一列不一致",
            "the rows of one certificate contradict each other in this column",
            "各行写同样的内容，或只写在第一行",
            "write the same in all of them, or only in the first",
        ),
        "issued-twice": Words(
            "同一证书在文件中第二次发证",
            "the certificate is issued a second time in this file",
            "同一证书的各行须相邻",
            "put the rows of one certificate one below the other",
        ),
        "row-waits": Words(
            "同一证书的前一行有错，本行随之等待",
            "an earlier row about this certificate is wrong, and this one waits for it",
            "改正前一行后一并导入",
            "mend the earlier row, then import both",
        ),
        "not-let-in": Words(
            "接收服务没有收下",
            "the events service did not take it",
            "见说明中的代码和 docs/connect.zh-CN.md",
            "see the code in the detail, and docs/connect.md",
        ),
    }
)
"""What the import itself finds, by code."""

HINTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    dict(ADVICE)
    | {
        "sequence-stale": ("再导入一次修正文件", "import the fix file again"),
        "chain-forked": ("再导入一次修正文件", "import the fix file again"),
        "scheme-rule": ("按说明改正", "correct it as the detail says"),
        "unknown-reason": ("见说明中的列表", "see the list in the detail"),
    }
)
"""What to do about the register's errors in a sheet, by slug; their words are the errors' own."""

_SEE = ("见 docs/connect.zh-CN.md 中该代码的一行", "see the row of this code in docs/connect.md")
