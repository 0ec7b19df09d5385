"""Every answer in both languages: the one catalogue behind pages, JSON and scanner (docs/decisions/0001)."""

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """The look of an answer; nothing but YES is ever green."""

    YES = "yes"
    NO = "no"
    CANNOT_SAY = "cannot_say"
    INPUT = "input"


class Code(StrEnum):
    """The closed list of answer codes (contract: Answer codes)."""

    VALID = "valid"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    NOT_YET_VALID = "not_yet_valid"
    UNKNOWN_NUMBER = "unknown_number"
    MALFORMED_NUMBER = "malformed_number"
    MARK_NOT_AUTHORIZED = "mark_not_authorized"
    OUT_OF_SCOPE = "out_of_scope"
    UNREADABLE = "unreadable"
    NOT_OURS = "not_ours"
    IMPOSTOR_HOST = "impostor_host"
    UNKNOWN_SIGNER = "unknown_signer"
    BAD_SIGNATURE = "bad_signature"
    DO_NOT_SELL = "do_not_sell"
    STATUS_UNKNOWN = "status_unknown"


class Note(StrEnum):
    """What stands beside a code (contract: Answer codes)."""

    SELF_DECLARED = "self_declared"
    SCOPE_LIMITED = "scope_limited"
    BODY_DISQUALIFIED = "body_disqualified"
    UNDER_REVIEW = "under_review"
    POSSIBLE_COPY = "possible_copy"
    OVERDUE_SURVEILLANCE = "overdue_surveillance"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Text:
    """One saying in both languages; `{names}` are filled in by the page."""

    zh: str
    en: str

    def __getitem__(self, language: str) -> str:
        return self.en if language == "en" else self.zh


@dataclass(frozen=True, slots=True)
class Wording:
    """What a code (or a note that changes it) looks and reads like."""

    family: Family
    title: Text
    explanation: Text
    next_step: Text


_HOTLINE = Text(
    "如已购买或正在销售，可拨打 12315 投诉举报，并保留商品、包装和票据。",
    "If you have bought it or see it on sale, call 12315 and keep the item, its packaging and the receipt.",
)
_COMPARE = Text(
    "若品牌或型号不一致，请保留商品并向 12315 反映。",
    "If brand or model differ, keep the item and tell 12315.",
)

ANSWERS: dict[Code, Wording] = {
    Code.VALID: Wording(
        Family.YES,
        Text("证书有效", "Valid"),
        Text(
            "请核对品牌、型号是否与手中商品一致；不一致则此标志不适用。",
            "Check that brand and model match the item in your hand; if not, this mark does not apply to it.",
        ),
        _COMPARE,
    ),
    Code.SUSPENDED: Wording(
        Family.NO,
        Text("证书已暂停", "Suspended"),
        Text(
            "自{since}起暂停{until_clause}。原因：{reason}。期间不得使用证书和标志。",
            "Suspended since {since}{until_clause}. Reason: {reason}. Certificate and mark may not be used meanwhile.",
        ),
        Text(
            "请暂缓购买或使用，向商家询问；必要时拨打 12315。",
            "Hold off buying or using it and ask the seller; call 12315 if need be.",
        ),
    ),
    Code.REVOKED: Wording(
        Family.NO,
        Text("证书已撤销", "Revoked"),
        Text(
            "{body}于{since}撤销。原因：{reason}。",
            "Revoked on {since} by the certification body ({body}). Reason: {reason}.",
        ),
        _HOTLINE,
    ),
    Code.CANCELLED: Wording(
        Family.NO,
        Text("证书已注销", "Cancelled"),
        Text(
            "于{since}注销。原因：{reason}。注销不等于产品不合格。",
            "Cancelled on {since}. Reason: {reason}. That is not by itself a failed product.",
        ),
        Text("请向商家索要新的证书编号。", "Ask the seller for the newer certificate."),
    ),
    Code.EXPIRED: Wording(
        Family.NO,
        Text("证书已过期", "Certificate expired"),
        Text(
            "证书有效期至{valid_until}。这是证书期限，不是商品保质期；此前出厂的商品请核对生产日期。",
            "The certificate ended on {valid_until}. This is not the product's shelf life; "
            "for goods shipped before that day look at the production date.",
        ),
        Text("请核对生产日期，或向商家索要新证书。", "Look at the production date, or ask for the newer certificate."),
    ),
    Code.SUPERSEDED: Wording(
        Family.NO,
        Text("证书已更换", "Replaced"),
        Text("已更换为新证书：", "It has been replaced by this newer certificate: "),
        Text("请查询新证书。", "Look up the new certificate."),
    ),
    Code.NOT_YET_VALID: Wording(
        Family.NO,
        Text("证书未生效", "Not in force yet"),
        Text("自{valid_from}起生效，在此之前不得使用。", "In force from {valid_from} on; not to be used before."),
        Text("请在生效日期之后再查询。", "Look again on or after that day."),
    ),
    Code.UNKNOWN_NUMBER: Wording(
        Family.NO,
        Text("查无此编号", "Number not found"),
        Text(
            "截至{as_of}本系统未登记此编号。未登记不等于伪造。",
            "This register has no such number in data as of {as_of}. Not registered does not mean forged.",
        ),
        Text(
            "请逐字核对证书或包装上的编号后重新输入。",
            "Check every character against the certificate or packaging and type it again.",
        ),
    ),
    Code.MALFORMED_NUMBER: Wording(
        Family.INPUT,
        Text("编号格式不符", "Not a number we know the form of"),
        Text("输入的内容不是可识别的编号。", "What was typed does not have the form of any number known here."),
        Text("请在下面修改后重新查询。", "Correct it below and look again."),
    ),
    Code.MARK_NOT_AUTHORIZED: Wording(
        Family.NO,
        Text("标志未获授权", "Mark not authorised"),
        Text(
            "证书在，但目前未授权使用“{mark}”。",
            "The certificate is there, but “{mark}” may not be used at present.",
        ),
        _HOTLINE,
    ),
    Code.OUT_OF_SCOPE: Wording(
        Family.NO,
        Text("不在证书范围", "Outside the certificate's scope"),
        Text(
            "证书不覆盖该型号或商家：所查为{asked}，证书登记为{registered}。",
            "The certificate does not cover this model or seller: asked for {asked}, registered {registered}.",
        ),
        _HOTLINE,
    ),
    Code.UNREADABLE: Wording(
        Family.INPUT,
        Text("二维码无法识读", "The code cannot be read"),
        Text(
            "没有读到完整的二维码，未能得出任何结论。",
            "No whole code could be read, so nothing can be concluded.",
        ),
        Text("请重新扫描，或输入印在旁边的编号。", "Scan again, or type the number printed beside it."),
    ),
    Code.NOT_OURS: Wording(
        Family.INPUT,
        Text("非认证查询码", "Not a certification code"),
        Text(
            "此码或网址不属于本系统，本系统不作评价。",
            "This code or address does not belong to this register, which says nothing about it.",
        ),
        Text(
            "请扫描认证标志旁的二维码，或输入证书编号。",
            "Scan the code beside the mark, or type the certificate number.",
        ),
    ),
    Code.IMPOSTOR_HOST: Wording(
        Family.NO,
        Text("疑似仿冒网址", "Possible impostor site"),
        Text(
            "此网址模仿认证查询地址，但不属于本系统。请勿相信其中显示的结果。",
            "This address looks like a certification look-up but is not one of this register. "
            "Do not trust what it shows.",
        ),
        _HOTLINE,
    ),
    Code.UNKNOWN_SIGNER: Wording(
        Family.NO,
        Text("签发者未登记", "Signer not registered"),
        Text(
            "此码的签发者不在登记之列，其内容不予显示。",
            "Whoever signed this code is not registered; its content is not shown.",
        ),
        _HOTLINE,
    ),
    Code.BAD_SIGNATURE: Wording(
        Family.NO,
        Text("二维码验证失败", "This code cannot be trusted"),
        Text("签名不符，请勿以此码为凭。", "The signature does not match. Do not rely on this code."),
        _HOTLINE,
    ),
    Code.DO_NOT_SELL: Wording(
        Family.NO,
        Text("暂停销售使用", "Do not sell or use"),
        Text(
            "{recalled}：{recall_reason}，自{recalled_since}起停止销售和使用。{recall_text}",
            "Concerns {recalled}: {recall_reason}. Not to be sold or used since {recalled_since}. {recall_text}",
        ),
        Text(
            "请停止使用，核对批次，凭下列公告向购买处要求退换；必要时拨打 12315。",
            "Stop using it, compare the batch, and ask for a refund where it was bought, "
            "with the notice below; call 12315 if need be.",
        ),
    ),
    Code.STATUS_UNKNOWN: Wording(
        Family.CANNOT_SAY,
        Text("暂时无法判断", "Cannot check right now"),
        Text(
            "数据更新至{as_of}。不表示商品有问题，也不表示没有问题。",
            "Data as of {as_of}. This says neither that the item is in order nor that it is not.",
        ),
        Text("请保留编号，稍后再查。", "Keep the number and try again later."),
    ),
}

NOTED: dict[Note, Wording] = {
    Note.SCOPE_LIMITED: Wording(
        Family.YES,
        Text("仅限所列型号", "Valid for the listed models only"),
        Text(
            "证书有效，仅适用于下列型号。请核对品牌、型号是否与手中商品一致。",
            "The certificate is valid, but only for the models listed below. Compare brand and model with the item.",
        ),
        Text("请与下列型号逐一核对。", "Compare with the list below."),
    ),
    Note.SELF_DECLARED: Wording(
        Family.YES,
        Text("自我声明有效", "Self-declaration in force"),
        Text(
            "由企业自行声明，非第三方认证。仅适用于下列型号。",
            "Declared by the company itself, not third-party certified. It holds for the models listed below only.",
        ),
        Text("请与下列型号逐一核对。", "Compare with the list below."),
    ),
    Note.POSSIBLE_COPY: Wording(
        Family.CANNOT_SAY,
        Text("标志码疑被复制", "This code may have been copied"),
        Text(
            "已查询{n}次，首次{time}；多次查询不一定是假货。",
            "Looked up {n} times, first on {time}; many look-ups do not prove a fake.",
        ),
        Text(
            "请核对商品、包装和购买渠道，有疑问请反映。",
            "Compare item, packaging and shop; report doubts.",
        ),
    ),
}
"""Notes that give a valid answer another headline, in the order of NOTE_PRECEDENCE."""

NOTE_PRECEDENCE = (Note.POSSIBLE_COPY, Note.SELF_DECLARED, Note.SCOPE_LIMITED)

SILENT = (Code.BAD_SIGNATURE, Code.UNKNOWN_SIGNER, Code.UNREADABLE, Code.IMPOSTOR_HOST)
"""Codes after which nothing that the scanned code said is shown, not even in a link or a field."""

BESIDE: dict[Note, Text] = {
    Note.SELF_DECLARED: Text(
        "由企业自行声明，非第三方认证。", "Declared by the company itself, not third-party certified."
    ),
    Note.SCOPE_LIMITED: Text("仅适用于所列型号。", "For the models listed only."),
    Note.BODY_DISQUALIFIED: Text(
        "发证机构的资质现已被撤销；证书本身未因此自动失效。",
        "The certification body has since lost its approval; that alone does not end the certificate.",
    ),
    Note.UNDER_REVIEW: Text(
        "此证书有更新正在处理，结果可能随时变化。",
        "An update of this certificate is being processed; the answer may change.",
    ),
    Note.POSSIBLE_COPY: Text("标志码疑被复制，请核对商品。", "The code may have been copied; compare the item."),
    Note.OVERDUE_SURVEILLANCE: Text(
        "例行监督应于{surveillance_due}前完成，尚未收到结果。",
        "The regular surveillance was due on {surveillance_due}; no result has been received yet.",
    ),
    Note.ALERT: Text("有消费警示与此产品有关。", "There is a consumer alert on this product."),
}
"""The sentence that a note adds below the answer."""

SYSTEM_EXPLANATION = Text(
    "该证书证明{holder}的“{scope}”通过认证，不代表其产品通过认证。",
    "This certificate attests “{scope}” of {holder}; it does not certify its products.",
)
SYSTEM_NEXT_STEP = Text(
    "请核对组织名称和认证范围；商品本身请另查产品证书。",
    "Compare the organisation and the scope; for a product look up its own certificate.",
)
NO_DATA = Text(
    "本查询节点尚无数据。不表示商品有问题，也不表示没有问题。",
    "This node holds no data yet. This says neither that the item is in order nor that it is not.",
)
"""Where there is no time that the data is of."""

UNKNOWN_UNIT = Text(
    "截至{as_of}本系统未登记此{unit}。请逐位核对；未登记不等于伪造。",
    "This register has no such {unit} in data as of {as_of}. Compare it digit by digit; not registered does not mean "
    "forged.",
)
VOID_UNIT = Text(
    "此{unit}自{since}起作废。原因：{reason}。同批其他标志码不受影响。",
    "This {unit} has been void since {since}. Reason: {reason}. Others of the same run are not touched.",
)
MARK_SINCE = Text(
    "该标志自{since}起{status}{until_clause}。原因：{reason}。",
    " This mark: {status} since {since}{until_clause}. Reason: {reason}.",
)
MARK_SPAN = Text("该标志的授权期限：{mark_from}至{mark_until}。", " It is authorised from {mark_from} to {mark_until}.")
"""What follows MARK_NOT_AUTHORIZED's sentence where the mark was ended, or its time is past or still to come."""

DECLARATION_WITHDRAWN = Text("该自我声明已由企业撤回。", "The company has withdrawn this self-declaration.")
SUSPENSION_PLANNED = Text("至{until}", " until {until}")
SUSPENSION_OVERDUE = Text("，原定至{until}，期满后未见恢复", ", planned until {until} and not resumed since then")
NO_REASON = Text("未说明", "none stated")
SEVERAL = Wording(
    Family.INPUT,
    Text("找到多张证书", "Several certificates"),
    Text(
        "此编号对应多张证书，请选择与商品相符的一张。总体上不作“有效”的判断。",
        "Several certificates name this number. Choose the one that matches the item; there is no overall yes.",
    ),
    Text("请逐一核对。", "Compare each of them."),
)

VERDICT: dict[Family, Text] = {
    Family.YES: Text("通过", "Yes"),
    Family.NO: Text("不通过", "No"),
    Family.CANNOT_SAY: Text("无法判断", "Cannot say"),
    Family.INPUT: Text("请检查输入", "Check the input"),
}

STATUS_WORD: dict[str, Text] = {
    "active": Text("有效", "in force"),
    "suspended": Text("暂停", "suspended"),
    "revoked": Text("撤销", "revoked"),
    "cancelled": Text("注销", "cancelled"),
    "withdrawn": Text("撤回授权", "authorisation withdrawn"),
    "superseded": Text("已更换", "replaced"),
    "expired": Text("过期", "expired"),
    "not_yet_valid": Text("未生效", "not in force yet"),
    "valid": Text("有效", "valid"),
}

BODY_WORD: dict[str, Text] = {
    "approved": Text("已获批准", "approved"),
    "suspended": Text("批准已暂停", "approval suspended"),
    "disqualified": Text("资质已撤销", "approval withdrawn"),
    "ended": Text("批准已到期", "approval ended"),
    "unknown": Text("未登记", "not registered"),
}

HISTORY: dict[str, Text] = {
    "issued": Text("发证", "Issued"),
    "declared": Text("作出自我声明", "Self-declaration made"),
    "surveillance": Text("监督审核通过", "Surveillance passed"),
    "renewed": Text("换证（再认证）", "Renewed"),
    "suspended": Text("暂停{until_clause}：{reason}", "Suspended{until_clause}: {reason}"),
    "resumed": Text("恢复有效", "Back in force"),
    "revoked": Text("撤销：{reason}", "Revoked: {reason}"),
    "cancelled": Text("注销：{reason}", "Cancelled: {reason}"),
    "superseded": Text("由{superseded_by}代替", "Replaced by {superseded_by}"),
    "withdrawn": Text("企业撤回声明", "Withdrawn by the company"),
    "expired": Text("证书到期", "Certificate ended"),
    "amended": Text("变更证书内容", "Content changed"),
    "corrected": Text("更正此前的申报", "An earlier report corrected"),
    "transferred": Text("转出，由另一机构接收", "Handed over to another body"),
    "received": Text("由新机构接收", "Taken over by another body"),
    "mark.authorized": Text("授权使用标志{mark}", "Mark authorised{mark}"),
    "mark.suspended": Text(
        "暂停标志授权{mark}{until_clause}：{reason}", "Mark suspended{mark}{until_clause}: {reason}"
    ),
    "mark.resumed": Text("恢复标志授权{mark}", "Mark back in force{mark}"),
    "mark.withdrawn": Text("撤回标志授权{mark}", "Mark authorisation withdrawn{mark}"),
    "mark.codes_issued": Text("生成单件标志码", "Codes for single units made"),
    "mark.code_voided": Text("作废一个单件标志码", "The code of one unit voided"),
    "decision.annulled": Text("监管部门撤销此前的一项决定", "The authority annulled an earlier decision"),
    "catalogue.class_removed": Text(
        "产品类别调出认证目录", "The product class has left the catalogue of what must be certified"
    ),
    "other": Text("登记册的其他记录（{type}）", "Another entry of the register ({type})"),
    "only_parts": Text("（仅{parts}）", " ({parts} only)"),
    "was_annulled": Text("已被撤销，不再作数", "annulled, no longer counts"),
    "was_corrected": Text("已更正", "corrected since"),
    "recorded": Text("{who} · 登记于{at}", "{who} · recorded {at}"),
    "ahead": Text("（尚未到日期）", " (still ahead)"),
}

ACT_WORD: dict[str, Text] = {
    "ship": Text("出厂", "Ship from the factory"),
    "sell": Text("销售", "Sell"),
    "import": Text("进口", "Import"),
    "use": Text("经营中使用", "Use in business"),
    "display": Text("宣传展示", "Show as certified"),
}
"""The deeds of docs/consequence.md, as the lines under `may` name them."""

ALLOWED_WORD: dict[str, Text] = {
    "yes": Text("可以", "Yes"),
    "no": Text("不可以", "No"),
    "review": Text("须核实", "To check"),
}

EXPECTED: dict[str, Text] = {
    "certificate": Text(
        "证书编号：4 至 64 位字母和数字，例如 2023990703000117（16 位数字）",
        "Certificate number: 4 to 64 letters and digits, for example 2023990703000117 (16 digits)",
    ),
    "gtin": Text(
        "商品条码：8、12、13 或 14 位数字，末位为校验码",
        "Product bar code: 8, 12, 13 or 14 digits, the last one a check digit",
    ),
    "check_digit": Text(
        "商品条码的校验码不对：请逐位核对", "The bar code's check digit is wrong: compare digit by digit"
    ),
    "url": Text("认证标志二维码中的网址", "The address in the mark's QR code"),
}

LABELS: dict[str, Text] = {
    "site": Text("认证证书与标志查询", "Certificate and mark look-up"),
    "look_up": Text("查询", "Look up"),
    "look_up_another": Text("查询其他编号", "Look up another number"),
    "look_up_again": Text("修改后重新查询", "Correct it and look up again"),
    "field": Text(
        "证书编号、标志编号、商品条码、二维码网址，或企业、产品名称",
        "Certificate or mark number, bar code, the QR's address, or the name of a company or product",
    ),
    "unit_code": Text("标志码", "unit code"),
    "serial": Text("序列号", "serial number"),
    "unit_issued": Text("此码于{day}为“{product}”发放", "This code was issued for “{product}” on {day}"),
    "unit_not_issued": Text("未登记", "not registered"),
    "unit_not_issued_text": Text(
        "本系统没有此产品的序列号登记；以下为该产品的情况。",
        "No serial numbers of this product are registered here; what follows is about the product.",
    ),
    "unit_void": Text("自{day}起作废", "void since {day}"),
    "hint": Text(
        "印在证书、包装或铭牌上；全角数字和空格可以照常输入。",
        "Printed on certificate, packaging or plate; spaces and full-width digits are fine.",
    ),
    "examples": Text("例如", "For example"),
    "demonstration": Text("演示数据：以下内容纯属虚构。", "Demonstration: the data is fictional."),
    "checked_at": Text("查询时间", "Checked at"),
    "as_of": Text("数据截至", "Data as of"),
    "beijing": Text("北京时间", "Beijing time"),
    "no_data": Text("尚无数据", "no data yet"),
    "answer": Text("查询结果", "Answer"),
    "code": Text("结果代码", "Answer code"),
    "number": Text("证书编号", "Certificate number"),
    "declaration_no": Text("声明编号", "Declaration number"),
    "question": Text("您的查询", "Your question"),
    "asked": Text("查询内容", "You asked for"),
    "mark": Text("标志", "Mark"),
    "mark_no": Text("标志编号", "Mark number"),
    "standing": Text("状态", "Standing"),
    "scheme": Text("认证制度", "Scheme"),
    "holder": Text("证书持有人", "Holder"),
    "manufacturer": Text("生产者", "Manufacturer"),
    "factory": Text("生产企业", "Factory"),
    "uscc": Text("统一社会信用代码", "Credit code"),
    "product": Text("产品", "Product"),
    "trademark": Text("商标", "Trademark"),
    "models": Text("型号", "Models"),
    "all_of_holder": Text("这家单位的全部证书", "All certificates of this organisation"),
    "over_all_bodies": Text("各机构对此产品的认证", "The product over all its bodies"),
    "suspended_parts": Text("其中已暂停的部分", "Parts that are suspended"),
    "parent": Text("主证书", "Main certificate"),
    "more": Text(
        "另有{count}项未列出：请按商品条码查询，或查看全部（JSON）",
        "{count} more are not listed: look up the item's bar code, or see them all (JSON)",
    ),
    "and_more": Text("等{count}个型号", " and others, {count} models in all"),
    "this_item": Text("所查商品", "the item asked for"),
    "this_mark": Text("所查标志", "the mark asked for"),
    "service_scope": Text("认证范围", "Scope of certification"),
    "basis": Text("认证依据", "Certified against"),
    "declared_basis": Text("声明依据", "Declared against"),
    "body": Text("发证机构", "Certification body"),
    "declarant": Text("声明人", "Declared by"),
    "validity": Text("有效期", "Validity"),
    "from_to": Text("{from_} 至 {until}", "{from_} to {until}"),
    "no_end": Text("长期", "no end stated"),
    "reason": Text("原因", "Reason"),
    "next": Text("下一步", "What to do"),
    "may": Text("能不能卖", "May it be sold?"),
    "may_hint": Text(
        "带有此证书或标志的商品，按今天的状态；未计其生产和出厂日期：",
        "Goods that bear this certificate or mark, as of today; the dates on which they were made and shipped are not "
        "known here:",
    ),
    "may_without": Text(
        "自愿性认证：不带标志也不提及证书的商品不受此限。",
        "A voluntary scheme: goods that show neither mark nor certificate are not bound by this.",
    ),
    "history": Text("历史记录", "History"),
    "report_here": Text("在线反映问题（无需登录）", "Report a problem online (no account needed)"),
    "looked_up": Text("此码已查询{n}次，首次{time}。", "This code was looked up {n} times before, first on {time}."),
    "not_looked_up": Text("此码此前没有查询记录。", "No earlier look-up of this code is on record."),
    "recall_notice": Text("召回公告", "Recall notice"),
    "alert_until": Text("（{instrument}，至{until}）", "({instrument}, until {until})"),
    "recorded": Text("登记于{recorded_at}（第 {seq} 条）", "recorded {recorded_at}, entry {seq}"),
    "event_digest": Text("事件摘要", "Event digest"),
    "earlier": Text("更早的{count}条", "{count} earlier entries"),
    "whole_history": Text(
        "登记册的全部记录，包括被拒绝的（JSON）", "Everything in the register about it, refused reports included (JSON)"
    ),
    "proof": Text("自行验证", "Check it yourself"),
    "proof_record": Text("封签记录", "The sealed record"),
    "proof_key": Text("封签公钥", "The seal's public key"),
    "proof_event": Text("对该事件的决定", "The decision on the event"),
    "proof_how": Text("怎样验证", "How to check them"),
    "receipt": Text("PDF 凭证", "PDF receipt"),
    "receipt_title": Text("查询凭证", "Receipt of a look-up"),
    "receipt_hash": Text("答复（JSON）的 SHA-256", "SHA-256 of the answer (JSON)"),
    "receipt_seq": Text("登记册条目", "Register entry"),
    "receipt_url": Text("再次查询", "Look up again"),
    "receipt_text": Text(
        "本凭证记录上述时间的答复；证书状态此后可能变化，请以再次查询为准。",
        "This receipt records the answer at the time above. The state may have changed since: look it up again.",
    ),
    "seller": Text("商家（请填写）", "Seller (please fill in)"),
    "bought_on": Text("购买日期和地点或链接（请填写）", "Bought on and where, or link (please fill in)"),
    "goods": Text("商品和型号（请填写）", "Goods and model (please fill in)"),
    "complaint": Text("反映的问题（请填写）", "What is wrong (please fill in)"),
    "proof_text": Text(
        "本页内容来自登记机构封签的状态记录。登记册第 {seq} 条，事件摘要（SHA-256）：",
        "This page is made from a state record sealed by the registry. Register entry {seq}, event digest (SHA-256):",
    ),
    "proof_token": Text(
        "此二维码的签名已用登记的标志密钥验证。", "This QR's signature was verified with a registered mark key."
    ),
    "proof_command": Text("在任何电脑上可运行：", "On any computer you can run: "),
    "qr": Text("标志二维码", "The mark's QR code"),
    "report": Text("向 12315 反映时可复制", "To copy when reporting to 12315"),
    "print": Text(
        "也可用浏览器的“打印”保存本页。", "You can also use your browser's print function to keep this page."
    ),
    "other_language": Text("English", "中文"),
    "and": Text("、", ", "),
    "colon": Text("：", ": "),
    "stop": Text("。", "."),
    "since": Text("自{since}起", "since {since}"),
    "first_issued": Text("首次发证", "First issued"),
    "details": Text("证书内容", "What the certificate says"),
    "declaration_details": Text("声明内容", "What the declaration says"),
    "complete": Text("{name}：收录完整。{text}", "{name}: complete. {text}"),
    "incomplete": Text("{name}：收录不完整。{text}", "{name}: not complete. {text}"),
    "coverage": Text("本系统收录范围", "What this register covers"),
    "coverage_unknown": Text(
        "收录范围不完整，未登记不能证明任何事情。", "The register is not complete; not being found proves nothing."
    ),
    "expected": Text("可识别的内容", "What can be looked up"),
    "problem": Text("您的输入有问题", "There is a problem with what was typed"),
    "candidates": Text("相关证书", "Certificates concerned"),
    "several": Text("请选择", "Choose one"),
    "photo": Text("或者：上传二维码的照片", "Or send a photo of the code"),
    "photo_hint": Text(
        "读完即弃，不保存照片；最大 8 MB。", "It is read and thrown away, nothing of it is kept; 8 MB at most."
    ),
    "error_404": Text("没有这个页面", "Page not found"),
    "error_404_text": Text("请检查网址，或输入编号查询。", "Check the address, or look up a number below."),
    "error_500": Text("系统出错", "Something went wrong here"),
    "error_500_text": Text(
        "故障已记录。不表示商品有问题，也不表示没有问题。", "It has been logged. This says nothing about any item."
    ),
    "error_413": Text("内容过大", "Too large"),
    "error_413_text": Text(
        "请发送较小的图片，或输入编号查询。", "Send a smaller picture, or look up the number beside the code."
    ),
    "error_429": Text("查询过于频繁", "Too many at once"),
    "error_429_text": Text("请稍候片刻再试。", "Wait a moment and try again."),
    "error_400": Text("无法处理此请求", "This cannot be done"),
    "error_400_text": Text("请输入编号查询。", "Look up a number below."),
    "error_501": Text("此处不能生成", "Cannot be made here"),
    "error_501_text": Text(
        "这台服务器缺少生成 PDF 所需的字体或程序库。请用浏览器打印或保存查询结果页面。",
        "This server lacks the fonts or libraries that a PDF needs. Print or save the answer's page in your browser.",
    ),
    "error_503": Text("暂时无法显示", "Cannot be shown right now"),
    "error_503_text": Text(
        "系统正忙，或这个节点的数据缺失、正在重建，请稍后再来。不表示商品有问题，也不表示没有问题。",
        "This server is busy, or its data is missing or being rebuilt; come back in a moment. This says nothing about "
        "any item.",
    ),
    "home": Text("首页", "Front page"),
    "scan": Text("扫码验证", "Scan and check"),
    "api": Text("接口文档", "API documentation"),
    "may_certify": Text("可以发证", "allowed"),
    "may_not_certify": Text("不可发证", "not allowed"),
    "navigation": Text("网站导航", "Pages of this site"),
    "nav_marks": Text("标志说明", "What marks mean"),
    "nav_bodies": Text("认证机构", "Certification bodies"),
    "nav_report": Text("反映问题", "Report a problem"),
    "nav_stats": Text("统计", "Figures"),
    "nav_data": Text("开放数据", "Open data"),
    "nav_status": Text("数据状态", "State of the data"),
    "nav_privacy": Text("隐私", "Privacy"),
}


def wording(code: Code, notes: tuple[Note, ...]) -> Wording:
    """The wording of an answer: its code's, unless a note gives a valid answer another headline."""
    if code is Code.VALID:
        for note in NOTE_PRECEDENCE:
            if note in notes:
                return NOTED[note]
    return ANSWERS[code]
