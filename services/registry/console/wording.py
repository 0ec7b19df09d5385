"""Every sentence of the console in both languages."""

from typing import NamedTuple

HTML_LANG = {"zh": "zh-CN", "en": "en"}


class Text(NamedTuple):
    """One saying in both languages; `{names}` are filled in by the page."""

    zh: str
    en: str

    def on(self, language: str) -> str:
        return self.en if language == "en" else self.zh


TEXTS: dict[str, Text] = {
    # --- every page ---------------------------------------------------------------------------------------------
    "site": Text("认证登记工作台", "Register console"),
    "skip": Text("跳到正文", "Skip to the content"),
    "other_language": Text("English", "中文"),
    "demonstration": Text("演示数据：以下内容纯属虚构。", "Demonstration: the data is fictional."),
    "menu": Text("工作台栏目", "Sections"),
    "inbox": Text("收件箱", "Inbox"),
    "upload": Text("上传", "Upload"),
    "submissions": Text("报送记录", "Submissions"),
    "certificates": Text("证书", "Certificates"),
    "overdue": Text("逾期事项", "Overdue"),
    "keys": Text("密钥", "Keys"),
    "sources": Text("全部来源", "All sources"),
    "sign_out": Text("退出", "Sign out"),
    "looking": Text("监管查看：只能看，不能报送。", "Regulator's view: to look at, not to act."),
    "colon": Text("：", ": "),
    "between": Text("、", ", "),
    "beijing": Text("北京时间", "Beijing time"),
    "none": Text("无", "none"),
    "next": Text("下一页", "Next page"),
    "first": Text("回到首页", "First page"),
    "show": Text("显示", "Show"),
    "documentation": Text("接口文档", "Interface documentation"),
    "footer": Text(
        "签名密钥始终在贵机构手中；本页面不索取私钥，也不代为签名。",
        "Your signing keys never leave you: these pages ask for none and sign nothing.",
    ),
    # --- signing in ------------------------------------------------------------------------------------------------
    "sign_in": Text("登录", "Sign in"),
    "sign_in_title": Text("登录工作台", "Sign in to the console"),
    "sign_in_text": Text(
        "使用登记处发给贵机构的访问令牌登录。",
        "Sign in with the access token that the registry gave to your organisation.",
    ),
    "token": Text("访问令牌", "Access token"),
    "token_hint": Text(
        "一行文字，与程序访问接口所用的令牌相同。演示环境的令牌在数据目录的 keys 文件夹，扩展名 .token。",
        "One line, the same that your programs use. The demonstration's tokens lie in the data folder, keys/….token.",
    ),
    "not_authenticated": Text(
        "令牌不对：不存在、已收回或已过期。", "Wrong token: it is unknown, revoked, or past its last day."
    ),
    "not_permitted": Text(
        "此令牌的角色不能登录工作台：工作台供事件来源和监管机构使用。",
        "This token's role does not open the console, which is for sources and regulators.",
    ),
    "signed_out": Text("已退出。", "You have signed out."),
    "visit_over": Text(
        "登录已结束：30 分钟没有操作，或已超过 12 小时。请重新登录。",
        "Your visit is over: 30 minutes without a request, or 12 hours in all. Please sign in again.",
    ),
    "sign_in_about": Text(
        "闲置 30 分钟后自动退出。连续 5 次输错，该地址须等待 15 分钟。",
        "You are signed out after 30 idle minutes. After 5 wrong tokens an address has to wait for 15 minutes.",
    ),
    # --- errors ------------------------------------------------------------------------------------------------------
    "error": Text("出错了", "Something is wrong"),
    "problem": Text("请改正", "To be put right"),
    "back": Text("返回", "Back"),
    "nothing_here": Text("没有这一页", "There is no such page"),
    "nothing_here_text": Text("请从栏目中选择。", "Choose one of the sections."),
    "trouble": Text("暂时无法显示", "It cannot be shown at present"),
    "trouble_text": Text(
        "登记服务暂时无法答复，没有丢失任何内容。请稍后再试。",
        "The registry cannot answer at present. Nothing is lost; try again in a moment.",
    ),
    # --- sources -----------------------------------------------------------------------------------------------------
    "sources_text": Text("选择一个来源查看。", "Choose a source to look at."),
    "source": Text("来源", "Source"),
    "kind_body": Text("认证机构", "certification body"),
    "kind_alliance": Text("联盟", "alliance"),
    "kind_declarant": Text("声明企业", "declarant"),
    "kind_authority": Text("监管机构", "authority"),
    "unfixed_count": Text("拒绝", "Refusals"),
    # --- inbox -------------------------------------------------------------------------------------------------------
    "inbox_text": Text(
        "贵机构每个事件的处理结果。“已接受”之外的都需要看一看。",
        "What became of each of your events. Anything but accepted wants a look.",
    ),
    "accepted": Text("已接受", "Accepted"),
    "refused": Text("已拒绝", "Refused"),
    "pending": Text("待定", "Pending"),
    "quarantined": Text("隔离", "Quarantined"),
    "open": Text("未处理的拒绝", "Refusals to mend"),
    "all": Text("全部决定", "All decisions"),
    "accepted_about": Text("已生效。", "It took effect."),
    "refused_about": Text(
        "已记录但未生效。改正后作为新事件再报。", "Recorded, without effect. Correct it and report a new event."
    ),
    "pending_about": Text("等待链上在它之前的事件。", "It waits for an event before it in its chain."),
    "quarantined_about": Text(
        "以贵机构密钥的名义收到，但无法识读或无法信任；链未前进。",
        "Received under a key of yours, but unreadable or not to be trusted; the chain has not moved.",
    ),
    "chart_title": Text("事件处理结果", "What became of the events"),
    "chart_about": Text("{source} 的事件，按处理结果计数：{counts}。", "Events of {source} by decision: {counts}."),
    "chart_table": Text("图中数字", "The figures behind the chart"),
    "decision": Text("处理结果", "Decision"),
    "count": Text("数量", "Number"),
    "meaning": Text("含义", "Meaning"),
    "oldest": Text("最早未处理的拒绝", "The oldest refusal not yet mended"),
    "nothing_open": Text("没有未处理的拒绝。", "There is no refusal to mend."),
    "nothing_found": Text("没有符合条件的事件。", "No event matches."),
    "filter": Text("筛选", "Filter"),
    "what": Text("范围", "Which"),
    "subject": Text("编号", "Number"),
    "subject_hint": Text("完整的证书或声明编号", "A whole certificate or declaration number"),
    "code": Text("代码", "Code"),
    "any_code": Text("任何代码", "any code"),
    "type": Text("事件类型", "Type"),
    "sequence": Text("链上序号", "Place in the chain"),
    "recorded": Text("记录时间", "Recorded"),
    "received": Text("收到时间", "Received"),
    "effective": Text("生效日期", "Takes effect"),
    "detail": Text("具体情况", "In this case"),
    "pointer": Text("位置", "Member"),
    "stands_there": Text("该处内容", "What stands there"),
    "hint": Text("如何改正", "How to mend it"),
    "digest": Text("摘要", "Digest"),
    "seq": Text("登记序号", "Entry"),
    "event_json": Text("事件 JSON", "The event's JSON"),
    "decision_json": Text("决定 JSON", "The decision's JSON"),
    "open_event": Text("详情", "Details"),
    "settle": Text("标为已处理", "Mark as dealt with"),
    "unsettle": Text("重新列为未处理", "List it again"),
    "settled": Text("已标为处理", "Marked as dealt with"),
    "mended": Text("其后的同类事件已被接受", "A later event of the same kind was accepted"),
    "fix_csv": Text("下载待改清单 (CSV)", "Download what to fix (CSV)"),
    "fix_drafts": Text("下载改正用的草稿 (NDJSON)", "Download drafts to correct (NDJSON)"),
    "fix_how": Text(
        "改好草稿后，在贵机构自己的机器上签名并报送：",
        "Correct the drafts, then sign and send them on a machine of your own:",
    ),
    "event": Text("事件", "Event"),
    "event_text": Text("按收到的字节解出，未作改动。", "Read from the bytes as received, unchanged."),
    "waits_for": Text("等待链上序号 {places}", "Waits for {places} in its chain"),
    # --- certificates --------------------------------------------------------------------------------------------
    "certificates_text": Text(
        "贵机构负责的全部证书。“公众看到的”由公开查询服务当场答复。",
        "Every certificate that you answer for. What the public sees is asked of the public look-up at this moment.",
    ),
    "number": Text("证书编号", "Certificate number"),
    "number_hint": Text("开头几位即可", "Its beginning will do"),
    "holder": Text("持证人", "Holder"),
    "holder_hint": Text("名称的一部分，或统一社会信用代码", "Part of the name, or the credit code"),
    "scheme": Text("认证项目", "Scheme"),
    "standing": Text("登记状态", "Standing"),
    "validity": Text("有效期", "Valid"),
    "public": Text("公众看到的", "What the public sees"),
    "public_page": Text("打开公开页面", "Open the public page"),
    "public_silent": Text(
        "公开查询服务现在没有答复，因此不显示公众看到的内容。",
        "The public look-up does not answer at present, so what the public sees is not shown.",
    ),
    "no_certificates": Text("没有符合条件的证书。", "No certificate matches."),
    "search": Text("查找", "Search"),
    "since": Text("自{day}", "since {day}"),
    "until": Text("至{day}", "until {day}"),
    "comma": Text("，", ", "),
    "valid": Text("有效", "valid"),
    "suspended": Text("暂停", "suspended"),
    "revoked": Text("撤销", "revoked"),
    "cancelled": Text("注销", "cancelled"),
    "superseded": Text("已更换", "replaced"),
    "expired": Text("过期", "expired"),
    "not_yet_valid": Text("未生效", "not in force yet"),
    "standing_json": Text("状态 JSON", "State as JSON"),
    "history_json": Text("历史 JSON", "History as JSON"),
    "statuses": Text("状态变化", "Statuses"),
    "status": Text("状态", "Status"),
    "active": Text("有效", "in force"),
    "withdrawn": Text("撤回授权", "withdrawn"),
    "from": Text("起", "From"),
    "planned": Text("原定至", "Planned until"),
    "reason": Text("原因", "Reason"),
    "marks": Text("标志", "Marks"),
    "events_about": Text("贵机构关于此证书的事件", "Your events about this certificate"),
    "product": Text("产品或范围", "Product or scope"),
    # --- overdue ---------------------------------------------------------------------------------------------------
    "overdue_text": Text(
        "截至{day}，以下期限已过而登记处尚未收到相应事件。逾期不会自动改变证书状态。",
        "By {day} these terms have run out and no event about them has come. That changes no status by itself.",
    ),
    "overdue_none": Text("没有逾期事项。", "Nothing is overdue."),
    "overdue_counts": Text("按种类计数", "By kind"),
    "kind": Text("种类", "Kind"),
    "any_kind": Text("任何种类", "any kind"),
    "clock_surveillance": Text("监督逾期", "Surveillance is due"),
    "clock_suspension": Text("暂停期满未处理", "A suspension has run out"),
    "clock_standard": Text("标准换版逾期", "An old edition of a standard"),
    "clock_transfer": Text("转移未接收", "A transfer not taken over"),
    "clock_catalogue": Text("目录不再接受该方式", "The catalogue no longer takes this mode"),
    "clock_parent": Text("主证书已终止", "The parent certificate has ended"),
    "due": Text("期限", "Last day"),
    "days_late": Text("{days} 天", "{days} days"),
    "late": Text("逾期", "Overdue by"),
    "rule": Text("规则", "Rule"),
    "more_maybe": Text("后面可能还有。", "There may be more."),
    # --- keys --------------------------------------------------------------------------------------------------------
    "keys_text": Text(
        "登记处登记的贵机构公钥。私钥只在贵机构手中。",
        "Your public keys as registered. The private halves are with you alone.",
    ),
    "no_key": Text(
        "目前没有可用的签名密钥：贵机构报送的事件都不会被采信。请联系主管机关登记新密钥。",
        "No key may sign at present: nothing that you report is trusted. Ask the authority to register a new one.",
    ),
    "last_key": Text(
        "可用的密钥将在 {days} 天内到期，且没有接续的密钥。请现在更换。",
        "The keys that may sign end within {days} days, and none follows. Change to a new one now.",
    ),
    "kid": Text("密钥 (kid)", "Key (kid)"),
    "purpose": Text("用途", "Purpose"),
    "purpose_event": Text("签署事件", "events"),
    "purpose_declaration": Text("签署自我声明", "declarations"),
    "window": Text("有效期间", "Window"),
    "open_end": Text("未定", "no end set"),
    "age": Text("已用", "Age"),
    "days": Text("{days} 天", "{days} days"),
    "left": Text("剩余", "Left"),
    "state": Text("状态", "State"),
    "key_valid": Text("可用", "may sign"),
    "key_ending": Text("即将到期", "ends soon"),
    "key_ahead": Text("尚未启用", "not yet"),
    "key_ended": Text("已到期", "ended"),
    "key_retired": Text("已停用", "retired"),
    "key_compromised": Text("已报失密", "compromised"),
    "rotate": Text("更换密钥", "Change to a new key"),
    "rotate_1": Text(
        "在贵机构自己的机器上生成新密钥，由旧密钥签名登记：",
        "Make a new key on a machine of your own, and have the old one sign that it is yours:",
    ),
    "rotate_2": Text(
        "新密钥登记被接受后，报送程序改用它（--key）。两把密钥可以同时使用，重叠期结束后旧密钥停用（上面最后一条）。",
        "Once it is accepted, let your programs sign with it (--key). Both may sign while they overlap; the last "
        "command above retires the old one.",
    ),
    "rotate_3": Text(
        "密钥遗失或被盗，请立即用另一把密钥签署 key.compromised，或通知主管机关。",
        "Where a key is lost or stolen, sign key.compromised with another one at once, or tell the authority.",
    ),
    "consequence": Text("登记处依据主管机关的决定作出", "Brought about by a decision of the authority"),
}
"""By name. A template asks for `t.name`, a sentence with names in it is filled in by the page."""


def text(name: str, language: str, **named: object) -> str:
    """A saying in one language, its names filled in."""
    said = TEXTS[name].on(language)
    return said.format(**named) if named else said
