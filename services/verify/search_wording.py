"""The words of a search's results, in both languages; what a single answer says is in `wording.py`."""

from services.verify.search import By, Match
from services.verify.wording import Family, Text, Wording

FOUND = Wording(
    Family.INPUT,
    Text("名称检索结果", "Found by name"),
    Text(
        "以下证书的持有人、产品或服务名称含“{asked}”。这是检索结果，不是对任何商品的判断，请选择与商品相符的一张。",
        "These certificates have “{asked}” in the name of their holder, product or service. This is a list to choose "
        "from and says nothing of any item; pick the one that matches yours.",
    ),
    Text("请打开与商品相符的证书，逐一核对。", "Open the certificate that matches the item and compare."),
)

FOUND_BY_NUMBER = Wording(
    Family.INPUT,
    Text("编号检索结果", "Found by number"),
    Text(
        "以下证书登记有“{asked}”。这是检索结果，不是对任何商品的判断，请选择与商品相符的一张。",
        "These certificates bear “{asked}”. This is a list to choose from and says nothing of any item; pick the one "
        "that matches yours.",
    ),
    FOUND.next_step,
)

NOTHING = Wording(
    Family.NO,
    Text("查无此名称", "Name not found"),
    Text(
        "截至{as_of}本系统未登记名称含“{asked}”的证书。未登记不等于伪造。",
        "This register has no certificate with “{asked}” in a name, in data as of {as_of}. "
        "Not registered does not mean forged.",
    ),
    Text(
        "请改用名称中连续的几个字，或输入证书编号查询。",
        "Try a few characters of the name as they stand together, or a certificate number.",
    ),
)

MORE = Text("结果过多，未全部列出；请多输入几个字。", "There are too many to list them all; type more of the name.")
FURTHER = Text("下一页", "Next page")
AS_HOLDER = Text("作为证书持有人检索", "As a holder only")
AS_PRODUCT = Text("作为产品检索", "As a product only")
ORDER = Text(
    "次序：名称相同、以其开头、含有它；同类中先列有效的，有效期长者在先。",
    "In this order: names that are the same, that begin with it, that contain it; of each the ones in force first, "
    "those that stay so the longest before others.",
)

IN_WORD: dict[By, Text] = {
    By.HOLDER: Text("持有人", "holder"),
    By.PRODUCT: Text("产品或服务", "product or service"),
    By.USCC: Text("统一社会信用代码", "credit code"),
    By.GTIN: Text("商品条码", "bar code"),
}

MATCH_WORD: dict[Match, Text] = {
    Match.EXACT: Text("名称相同", "the same name"),
    Match.BEGINS: Text("以此开头", "begins with it"),
    Match.CONTAINS: Text("含有此词", "contains it"),
}
