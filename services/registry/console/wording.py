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
    "retired_from": Text("自 {day} 停用", "retired from {day} on"),
    "compromised_from": Text("自 {day} 失密", "compromised since {day}"),
    "key_valid": Text("可用", "may sign"),
    "key_ending": Text("即将到期", "ends soon"),
    "key_ahead": Text("尚未启用", "not yet"),
    "key_ended": Text("已到期", "ended"),
    "key_retired": Text("已停用", "retired"),
    "key_compromised": Text("已报失密", "compromised"),
    "rotate": Text("更换密钥", "Change to a new key"),
    "rotate_1": Text(
        "在贵机构自己的机器上生成新密钥，由旧密钥签名登记（旧密钥不在默认位置时，第一条 sign 也要加 --key）：",
        "Make a new key on a machine of your own, and have the old one sign that it is yours (where the old one is not "
        "in its usual place, the first sign needs --key too):",
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
    # --- handing in --------------------------------------------------------------------------------------------------
    "upload_text": Text(
        "表格只在这里检查，不会报送：签名密钥在贵机构手中，签名和报送由贵机构的机器完成。",
        "A sheet is only checked here and not reported: your keys are with you, so signing and sending is done by you.",
    ),
    "sheet": Text("检查表格", "Check a sheet"),
    "sheet_text": Text(
        "CSV 或 XLSX，最大 32 MB。逐行检查格式，并与登记册目前的内容核对；给出待改清单和报送命令。",
        "CSV or XLSX, up to 32 MB. Every row is read and held against the register as it is now; you get what to fix, "
        "and the command that reports the rest.",
    ),
    "file": Text("文件", "File"),
    "mapping": Text("列名对照（可不填）", "Mapping of headings (optional)"),
    "mapping_hint": Text(
        "JSON 对象：贵机构的标题 → 本系统的列名；空文本表示略过。",
        "A JSON object: a heading of yours → a column's name; an empty text passes it over.",
    ),
    "check": Text("检查", "Check"),
    "templates": Text("空白模板", "Empty templates"),
    "template_xlsx": Text("下载模板 (XLSX)", "Download the template (XLSX)"),
    "template_csv": Text("下载模板 (CSV)", "Download the template (CSV)"),
    "signed": Text("转交已签名的事件", "Pass on signed events"),
    "signed_text": Text(
        "NDJSON，每行一个已由贵机构签名的事件（certmark sign 的输出），最大 32 MB。逐行转交接收服务，不改一个字节。",
        "NDJSON, one event a line as you signed it (what certmark sign writes), up to 32 MB. Each is passed on to the "
        "events service, not a byte of it changed.",
    ),
    "pass_on": Text("转交", "Pass on"),
    "no_file": Text("请选择一个文件。", "Choose a file."),
    "submissions_text": Text(
        "通过本页面提交的文件。七天后自动删除。",
        "Files handed in on these pages. They are thrown away after seven days.",
    ),
    "no_submissions": Text("还没有提交过文件。", "Nothing has been handed in yet."),
    "handed_in": Text("提交时间", "Handed in"),
    "size": Text("大小", "Size"),
    "kind_sheet": Text("表格（检查）", "sheet (checked)"),
    "kind_signed": Text("已签名的事件（转交）", "signed events (passed on)"),
    "progress": Text("进度", "Progress"),
    "state_waiting": Text("等待处理", "waiting"),
    "state_running": Text("处理中", "under way"),
    "state_done": Text("已完成", "done"),
    "state_failed": Text("无法读取", "cannot be read"),
    "state_cut": Text("中断", "cut off"),
    "cut_text": Text(
        "处理中断了。没有内容丢失，请重新提交同一文件。",
        "The work was cut off. Nothing is lost; hand in the same file again.",
    ),
    "done_of": Text("已处理 {done} / 约 {total}", "{done} of about {total}"),
    "refreshing": Text("本页每 2 秒刷新一次。", "This page loads itself again every 2 seconds."),
    "stop_refreshing": Text("停止刷新", "Stop that"),
    "refresh": Text("刷新", "Load again"),
    "found": Text("结果", "Findings"),
    "rows": Text("行", "Rows"),
    "events": Text("事件", "Events"),
    "good": Text("可以报送", "Ready to report"),
    "wrong": Text("有错", "Wrong"),
    "sent": Text("已转交", "Passed on"),
    "undecided": Text("尚无决定", "No decision yet"),
    "read_as": Text("读取方式", "Read as"),
    "headings_in": Text("{encoding}，标题在第 {line} 行", "{encoding}, headings in row {line}"),
    "unmapped": Text("没有对应的列", "Columns not mapped"),
    "assumed": Text("按推定的标题读取", "Headings assumed"),
    "others": Text("未读的工作表", "Worksheets not read"),
    "by_code": Text("按错误代码", "By code"),
    "every_row": Text("全部", "All"),
    "row": Text("行", "Row"),
    "result": Text("结果", "Result"),
    "why": Text("说明", "What is wrong"),
    "would_send": Text("将报送的内容", "What would be reported"),
    "column": Text("列", "Column"),
    "value": Text("内容", "Value"),
    "fix_file": Text("下载修正文件 (CSV)", "Download the fix file (CSV)"),
    "fix_file_text": Text(
        "有错的行原样列出，并附原因。改好后可以再次在这里检查，或直接报送：",
        "The wrong rows as they are, each with what is wrong. Mend them, then check them here again or report them:",
    ),
    "report_how": Text(
        "在贵机构自己的机器上签名并报送（有错的行会被跳过，写入修正文件）：",
        "Sign and report on a machine of your own (wrong rows are left out and written to the fix file):",
    ),
    "all_good": Text("每一行都可以报送。", "Every row can be reported."),
    "stopped": Text(
        "接收服务没有确认其中一个事件，其后的都没有转交。请稍后原样再提交一次。",
        "The events service did not confirm an event, and nothing behind it was passed on. Hand in the file again.",
    ),
    "only_seven": Text("七天后删除。", "Thrown away after seven days."),
    "consequence": Text("登记处依据主管机关的决定作出", "Brought about by a decision of the authority"),
}
"""By name. A template asks for `t.name`, a sentence with names in it is filled in by the page."""


TO_DO: dict[str, Text] = {
    # --- refusals: recorded, so the next try is a new event behind them -----------------------------------------
    "sequence-stale": Text(
        "该位置已有事件：向 /v1/heads 查询链头，重新签名后再报。",
        "The place is taken: ask /v1/heads, sign and report again.",
    ),
    "chain-forked": Text(
        "向 /v1/heads 查询链头，用它给出的 previous 重新签名；同一证书不要由两个程序同时报送。",
        "Ask /v1/heads and sign again behind what it says; let no two programs report on one certificate at once.",
    ),
    "sequence-too-far": Text(
        "先补报缺少的事件，再把本事件作为新事件报送。", "Report what is missing first, then this as a new event."
    ),
    "number-taken": Text(
        "已登记的不必再报；若是另一张证书，改正编号。",
        "What is registered need not be reported again; correct the number where it is another one.",
    ),
    "unknown-certificate": Text("核对编号；先报发证。", "Check the number; report the issue first."),
    "unknown-mark": Text("核对标志授权编号。", "Check the number of the mark authorization."),
    "unknown-subject": Text(
        "核对机构、联盟、密钥或制度的编号。", "Check the number of the body, alliance, key or scheme."
    ),
    "not-responsible": Text(
        "核对编号；由别的机构负责的证书须先转移。",
        "Check the number; another body's certificate has to be transferred first.",
    ),
    "not-competent": Text(
        "核对日期和制度；资质问题请联系主管机关，历史证书须开放补录。",
        "Check date and scheme; ask the authority about your approval. History needs an open backfill.",
    ),
    "unknown-scheme": Text(
        "核对日期：该日没有生效的制度版本。", "Check the date: no version of the scheme was in force."
    ),
    "scheme-rule": Text("按“位置”和“具体情况”改正。", "Correct the member named, as is said in this case."),
    "transition-not-allowed": Text(
        "核对事件的先后和证书目前的状态；撤销和注销不可再变更。",
        "Check the order of events and the present status; revoked and cancelled are final.",
    ),
    "unknown-reason": Text(
        "改用此事件可用的原因代码：暂停用 S 类，撤销用 R 类，注销用 C 类。",
        "Use a reason of this event: S… to suspend, R… to revoke, C… to cancel.",
    ),
    "bad-dates": Text("核对各日期及其先后。", "Check the dates and their order."),
    "bad-correction": Text(
        "核对所更正事件的摘要，以及更正后的内容能否成立。",
        "Check the digest of what is corrected, and whether it can stand as corrected.",
    ),
    "nothing-to-change": Text("内容已是如此，无需再报。", "It is so already and need not be reported again."),
    # --- quarantine: not recorded, so the same place in the chain again -----------------------------------------
    "unknown-key": Text("登记该密钥，待其生效后原样重发。", "Have the key registered, then send the same bytes again."),
    "key-not-valid": Text("用目前有效的密钥重新签名。", "Sign again with a key that is valid now."),
    "bad-signature": Text(
        "对实际发送的字节签名；查明是谁发送的。", "Sign the bytes that you send; find out who sent these."
    ),
    "algorithm-not-allowed": Text("alg 须是该密钥自己的算法。", "alg has to be the key's own algorithm."),
    "not-this-source": Text("source 须是密钥的所有者。", "source has to be the key's owner."),
    "id-conflict": Text("换一个新的 UUID 作为 id。", "Use a new UUID as id."),
}
"""What its source can do about a refusal or a quarantine, by slug; what is malformed is told by its pointer alone."""


def text(name: str, language: str, **named: object) -> str:
    """A saying in one language, its names filled in."""
    said = TEXTS[name].on(language)
    return said.format(**named) if named else said
