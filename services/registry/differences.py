"""What a check of the register finds, and what that means in one sentence."""

import hashlib
from dataclasses import dataclass

PLACES = ("log", "published", "put aside", "pending")
"""What is told by its position on a topic, and not by an entry."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that is not as it comes out: in `what`, and both sides of it.

    `seq` is its entry; for `PLACES` the position on the topic of the events, or of the records where it is `published`.
    """

    seq: int
    what: str
    stored: str | None
    computed: str | None

    @property
    def words(self) -> tuple[str, str]:
        """What was found, as who is no engineer reads it: Chinese, English."""
        return WORDS[self.what]


WORDS = {
    "seq": (
        "条目的编号不连续，或登记册末尾之后还有条目：有条目被取走或塞入",
        "the numbers of the entries have a hole, or go on behind the register's end: an entry was taken out or put in",
    ),
    "order": (
        "条目的次序与日志不符：后到的事件被放在先到的之前",
        "the entries are not in the order of the log: an event that came later was put before one that came first",
    ),
    "leaf": (
        "条目写入公开日志的内容与条目本身不符：其中之一被改过",
        "what the public log has of the entry is not what the entry says: one of them was changed",
    ),
    "state": (
        "条目所留下的证书（或其他记录）内容，不是该事件应得出的内容",
        "the certificate, or other record, that the entry left is not what its event makes of it",
    ),
    "recorded_at": (
        "条目的记载时间早于前一条目：时间被改过",
        "the entry claims to be recorded before the one in front of it: a time was changed",
    ),
    "bare": (
        "标志令牌或承诺的条目带有它不能有的内容：有人借它改动证书",
        "an entry of a token or a commitment holds what none can: somebody uses it to change a certificate",
    ),
    "event": (
        "条目所述与其来源签名的事件不符",
        "the entry tells of its event something else than its source has signed",
    ),
    "jws": ("条目没有签名事件作为依据", "no signed event stands behind the entry"),
    "digest": (
        "条目的摘要不是其签名事件的摘要：事件被换过",
        "the entry's signed event is another one than its digest names",
    ),
    "genesis": (
        "登记册不是从部署时确定的首个事件开始：这是另一个登记册",
        "the register does not begin with the first event that was pinned: it is another register",
    ),
    "key": (
        "条目所用的签名密钥当时未登记或已失效",
        "the key under which the entry's event is signed was not registered, or not valid, when it came",
    ),
    "signature": (
        "条目的事件签名不成立，或密钥不属于所称来源",
        "the signature on the entry's event does not hold, or its key is not that source's",
    ),
    "form": (
        "条目的事件不符合其格式：本不应成为条目",
        "the entry's event is not of its form: it could never become an entry",
    ),
    "chain": (
        "条目在其来源的事件链中的位置，与所记决定不符：有事件被取走、插入或被假称过期",
        "the entry's place in its source's chain does not bear out its decision: an event was taken out, put in, or"
        " called stale",
    ),
    "decision": (
        "按当时的规则，该事件的决定应当不同",
        "by the rules of then, the decision on this event comes out otherwise",
    ),
    "cause": (
        "条目所称的后果并非由其起因带来",
        "the entry is called a consequence, and its cause does not bring it about",
    ),
    "record": (
        "证书（或其他记录）现在的内容，不是最后一个条目所留下的",
        "what a certificate, or another record, says now is not what its last entry left",
    ),
    "found by": (
        "用来查找证书的栏目（负责机构、产品类别、从属）与证书不符：后果会漏掉它",
        "what a certificate is found by (its body, its product class, whether it is part of another) is not what it"
        " says: a consequence would miss it",
    ),
    "review": (
        "“更新待核”的显示与等待中的事件不符",
        "a certificate is shown as under review though nothing waits, or the other way round",
    ),
    "mark": ("标志与其证书的对应被改过", "which certificate a mark belongs to was changed"),
    "holder": (
        "曾失去证书的持证人名单少了一项：其等待期不会被执行",
        "a holder is missing among those who have lost a certificate: the time that he has to wait would not be kept",
    ),
    "head of chain": (
        "某来源事件链的末端与其条目不符",
        "where a source's chain of events ends is not where its entries end",
    ),
    "token": ("证书上的标志令牌没有对应的条目", "a mark's token is in the register and no entry tells of it"),
    "place": (
        "状态列表的位置将被或已被重复使用：一枚标志的状态会成为另一枚的",
        "a place in a status list is, or would be, used twice: one mark would take over the other's status",
    ),
    "trust": (
        "信任列表所列的密钥不在登记册中，或与其签名文本不符",
        "the trust list names a key that the register does not know, or is not what was signed",
    ),
    "pending": (
        "等待中的事件早该决定，或本来不可信",
        "an event is kept waiting though its turn has come, or it was never to be trusted",
    ),
    "put aside": (
        "一个签名有效、形式正确的事件被放入隔离区，没有得到决定",
        "a well-formed event with a good signature lies in quarantine, so that it was never decided",
    ),
    "commitment": (
        "公开日志中的承诺已没有对应的内容，或内容久未写入日志：反映、办案步骤或操作记录被取走或扣下",
        "a report, a deed or a head of the trail that the log commits to is gone, or one was kept from the log",
    ),
    "report": ("消费者的反映不是当时收到的内容", "a consumer's report is not what was received"),
    "deed": (
        "案件中的一步不是当时写入日志的内容，或从未写入日志",
        "a deed of a case is not what the log commits to, or was never committed to",
    ),
    "case": (
        "案件一览所示与案件各步得出的不符",
        "what the list of cases shows of a case is not what its deeds come to",
    ),
    "log": (
        "登记册与事件日志不符：有收到的事件未被处理、被改动，或有条目从未在日志中",
        "register and log differ: an event that came was left out or changed, or one was entered that never came",
    ),
    "published": (
        "对外发布的记录不是登记册的内容",
        "a record was published under the register's seal that is not what the register has",
    ),
    "withheld": (
        "登记册中的记录没有发布出去：公众看到的是旧内容，或查不到",
        "a record of the register is not published: the public sees an older one, or none",
    ),
}
"""One sentence for each `what`, Chinese and English: docs/log-and-leaf.md names them all."""


def hash_of(text: str | None) -> str | None:
    """Hex SHA-256 of a text; of none, none."""
    return hashlib.sha256(text.encode()).hexdigest() if text is not None else None
