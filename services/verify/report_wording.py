"""The words of the report form in both languages, with what PIPL asks to be said on it."""

from services.domain.complaints import KEPT_AFTER_DECISION_DAYS, KEPT_AT_MOST_DAYS, WORKING_DAYS
from services.verify.wording import Text

REPORT: dict[str, Text] = {
    "title": Text("反映问题", "Report a problem"),
    "intro": Text(
        "标志或证书与商品不符、疑似假冒或已召回仍在销售，可以在此反映。无需登录。紧急情况请拨打 12315。",
        "Mark or certificate does not fit the item, it looks forged, or it is on sale although recalled? Tell it here, "
        "without an account. If it is urgent call 12315.",
    ),
    "product": Text("什么商品", "What is it about"),
    "product_hint": Text("品牌、名称、型号", "Brand, name, model"),
    "code": Text("查询的编号或标志码（可不填）", "Number or code looked up (optional)"),
    "where_kind": Text("在哪里买到或看到", "Where was it bought or seen"),
    "shop": Text("实体店", "In a shop"),
    "platform": Text("网络平台", "On a platform"),
    "other": Text("其他", "Elsewhere"),
    "where": Text("店名或平台名（可不填）", "Name of shop or platform (optional)"),
    "link": Text("网页链接（可不填）", "Link (optional)"),
    "region": Text("购买地所在区（可不填）", "District of purchase (optional)"),
    "no_region": Text("不清楚或外地", "Not known, or elsewhere"),
    "text": Text("发生了什么", "What happened"),
    "text_hint": Text(
        "最多 2000 字。请不要写他人姓名、电话、身份证号。",
        "At most 2,000 characters. Please no names, telephone or identity numbers of others.",
    ),
    "contact": Text("联系方式（可不填）", "How to reach you (optional)"),
    "contact_hint": Text(
        "电话或邮箱。不留也能凭编号查询进度。", "Telephone or e-mail. Without it you can look up the state by number."
    ),
    "consent": Text("我同意为核查此事使用我的联系方式。", "I agree that my contact is used to look into this matter."),
    "privacy": Text("个人信息如何处理", "What happens with personal data"),
    "purpose": Text(
        "用途：仅用于核查您反映的问题，由购买地或证书持有人所在地的市场监管人员查阅；不公开，不提供给被反映的一方。",
        "Purpose: looking into what you report, nothing else. Read by the market inspectors of the place of purchase "
        "or of the holder; not published, not given to whom it is about.",
    ),
    "retention": Text(
        f"保存：有处理结果后 {KEPT_AFTER_DECISION_DAYS} 天删除所填内容和联系方式，最长 {KEPT_AT_MOST_DAYS} 天；"
        "只留编号、日期和结果。",
        f"Kept: what you write and your contact are deleted {KEPT_AFTER_DECISION_DAYS} days after the outcome, at most "
        f"{KEPT_AT_MOST_DAYS} days after receipt; number, dates and outcome stay.",
    ),
    "deletion": Text(
        "删除：凭编号和查询码可随时在进度页删除所填内容。",
        "Deletion: with number and secret you can delete it at any time on the page of its state.",
    ),
    "public": Text(
        "公开日志中只有一个加盐的哈希，证明反映已收到且未被更改，看不出内容和是谁。",
        "The public log holds a salted hash alone. It proves that the report was received and not changed; what and "
        "who cannot be seen from it.",
    ),
    "not_kept": Text("不记录您的网络地址和设备。", "Your network address and device are not recorded."),
    "send": Text("提交", "Send"),
    "problem": Text("还有需要修改的地方", "There is something to correct"),
    "missing": Text("请填写此项", "Please fill this in"),
    "choose": Text("请选择一项", "Please choose one"),
    "too_long": Text("内容过长，请缩短", "Too long: please shorten it"),
    "consent_wrong": Text(
        "留下联系方式需勾选同意；不同意请清空联系方式", "To leave a contact tick the consent, or empty the field"
    ),
    "old_form": Text(
        "此表单已过期或不是本站发出的。所填内容已保留，请再次提交。",
        "This form is too old or was not given out here. What you wrote is kept: please send it again.",
    ),
    "too_often": Text(
        "提交过于频繁，请稍后再试。所填内容已保留。",
        "Too many reports at present: try again later. What you wrote is kept.",
    ),
    "log_away": Text(
        "暂时无法收下，请稍后再次提交。所填内容已保留，重复提交只算一次。",
        "It cannot be taken at present: please send it again later. What you wrote is kept, and sending it twice "
        "counts once.",
    ),
    "done": Text("已收到", "Received"),
    "done_text": Text(
        "请记下编号和查询码，查询码只显示这一次。", "Note down number and secret: the secret is shown this once."
    ),
    "number": Text("编号", "Number"),
    "secret": Text("查询码", "Secret"),
    "due": Text("核查期限", "To be looked into by"),
    "due_text": Text(f"{{day}}（{WORKING_DAYS} 个工作日内）", f"{{day}} (within {WORKING_DAYS} working days)"),
    "assumed": Text(
        "该年度的节假日安排尚未公布，按周一至周五计算。",
        "The public holidays of that year are not published yet: Monday to Friday were counted.",
    ),
    "look_up_state": Text("查询进度", "Look up its state"),
    "state_title": Text("反映的进度", "State of a report"),
    "show": Text("查询", "Show"),
    "not_found": Text("编号或查询码不对。", "Number or secret is wrong."),
    "registry_away": Text(
        "暂时查不到进度，请稍后再试。您的反映不受影响。", "The state cannot be shown at present; your report is safe."
    ),
    "just_received": Text(
        "刚刚提交的反映要过几秒钟才能查到。", "A report that was just sent can be looked up after some seconds."
    ),
    "state": Text("状态", "State"),
    "open": Text("核查中", "Being looked into"),
    "decided": Text("已有结果", "Decided"),
    "overdue": Text("已超过期限", "Past its deadline"),
    "received_on": Text("收到日期", "Received on"),
    "outcome": Text("处理结果", "Outcome"),
    "note": Text("说明", "Explanation"),
    "decided_on": Text("处理日期", "Decided on"),
    "commitment": Text("公开日志中的哈希", "Hash in the public log"),
    "entry": Text("第 {seq} 条", "entry {seq}"),
    "not_entered": Text("尚未登记", "not entered yet"),
    "forget": Text("删除我填写的内容", "Delete what I wrote"),
    "forget_hint": Text(
        "删除后核查人员也看不到所填内容和联系方式，编号、日期和结果保留。",
        "Inspectors cannot read it any more either; number, dates and outcome stay.",
    ),
    "sure": Text("确认删除，不能恢复", "Yes, delete it; it cannot be brought back"),
    "forgotten": Text("所填内容已于{day}删除。", "What was written was deleted on {day}."),
}

SHANGHAI: dict[str, Text] = {
    "310101": Text("黄浦区", "Huangpu"),
    "310104": Text("徐汇区", "Xuhui"),
    "310105": Text("长宁区", "Changning"),
    "310106": Text("静安区", "Jing'an"),
    "310107": Text("普陀区", "Putuo"),
    "310109": Text("虹口区", "Hongkou"),
    "310110": Text("杨浦区", "Yangpu"),
    "310112": Text("闵行区", "Minhang"),
    "310113": Text("宝山区", "Baoshan"),
    "310114": Text("嘉定区", "Jiading"),
    "310115": Text("浦东新区", "Pudong"),
    "310116": Text("金山区", "Jinshan"),
    "310117": Text("松江区", "Songjiang"),
    "310118": Text("青浦区", "Qingpu"),
    "310120": Text("奉贤区", "Fengxian"),
    "310151": Text("崇明区", "Chongming"),
}
"""The city's districts by their codes of GB/T 2260."""
