"""The words of the public's other pages, in both languages."""

from services.domain.complaints import KEPT_AFTER_DECISION_DAYS, KEPT_AT_MOST_DAYS
from services.domain.copies import KEPT_DAYS
from services.verify.wording import Text

SITE: dict[str, Text] = {
    # the front page
    "front_lead": Text(
        "在这里核实一张认证证书、一个认证标志或一件商品的认证是否有效。输入印在证书、包装或铭牌上的编号，或者用手机相机扫描标志旁的二维码。",
        "Here you can check whether a certificate, a mark or a product's certification is in force. Type the number "
        "printed on certificate, packaging or plate, or point your phone's camera at the code beside the mark.",
    ),
    "front_free": Text(
        "无需登录，不装软件，不留个人信息。答复来自认证机构签名申报、登记机构封签的记录，并写明数据截至何时。",
        "No login, nothing to install, nothing kept about you. The answer comes from records that the certification "
        "bodies signed and the registry sealed, and says how fresh it is.",
    ),
    "front_scan": Text("用摄像头、照片或输入", "By camera, photo or typing"),
    # what every list has
    "found": Text("共{count}项", "{count} in all"),
    "search": Text("查找", "Search"),
    "none_found": Text("没有符合的条目。", "Nothing matches."),
    "previous": Text("上一页", "Previous page"),
    "following": Text("下一页", "Next page"),
    "page_of": Text("第{page}页，共{pages}页", "Page {page} of {pages}"),
    "from": Text("起", "From"),
    "to": Text("至", "To"),
    "state": Text("状态", "State"),
    "name": Text("名称", "Name"),
    "as_csv": Text("表格文件（CSV）", "As a table file (CSV)"),
    # marks
    "marks_title": Text("认证标志说明", "What the marks mean"),
    "marks_lead": Text(
        "标志是一种许可：只有证书有效、授权有效、而且商品在授权范围内，标志才作数。下面逐一说明每种标志和认证的含义，以及它不说明什么。",
        "A mark is a permission. It counts only while the certificate is in force, the authorisation is in force, and "
        "the product is among those authorised. This is what each mark and scheme means, and what it does not say.",
    ),
    "with_mark": Text("有标志的认证", "Schemes with a mark"),
    "without_mark": Text("没有产品标志的认证", "Schemes without a mark for products"),
    "without_mark_text": Text(
        "下列认证只有证书。管理体系和服务的证书不得标在商品或包装上让人误以为商品通过了认证。",
        "These have a certificate only. A certificate of a system or service may not be shown on goods or packaging as "
        "if the goods were certified.",
    ),
    "no_schemes": Text("登记册中还没有认证制度。", "The register holds no scheme yet."),
    "means": Text("它说明什么", "What it says"),
    "means_not": Text("它不说明什么", "What it does not say"),
    "looks": Text("样子和编号", "How it and its numbers look"),
    "duty": Text("强制还是自愿", "Compulsory or voluntary"),
    "mandatory": Text("强制", "compulsory"),
    "voluntary": Text("自愿", "voluntary"),
    "class_product": Text("产品认证", "product certification"),
    "class_service": Text("服务认证", "service certification"),
    "class_system": Text("管理体系认证", "management system certification"),
    "who": Text("谁可以发", "Who may issue it"),
    "who_certificate": Text(
        "证书由获批准的认证机构颁发", "The certificate is issued by an approved certification body"
    ),
    "who_declaration": Text(
        "由生产企业自行声明，没有认证机构参与", "The maker declares it himself, without a certification body"
    ),
    "mark_implied": Text("有证书即可使用标志", "the certificate carries the mark with it"),
    "mark_body": Text("标志由发证机构另行授权", "the body authorises the mark separately"),
    "mark_alliance": Text("标志由联盟授权：{alliance}", "the mark is authorised by the alliance: {alliance}"),
    "mark_authority": Text("标志由监管部门授权", "the mark is authorised by the authority"),
    "mark_none": Text("没有可授权的标志", "there is no mark to authorise"),
    "bodies_today": Text("今天可以发证的机构：{count}家", "Bodies that may issue it today: {count}"),
    "validity_is": Text("证书有效期", "Validity of a certificate"),
    "months": Text("最长{months}个月", "{months} months at most"),
    "no_limit": Text("认证规则没有规定期限", "no limit is set by the scheme's rules"),
    "also_called": Text("也叫", "Also called"),
    "family_marks": Text("家族标志", "Family marks"),
    "covered": Text("本登记册的收录范围", "What this register covers"),
    "is_complete": Text("收录完整", "Complete"),
    "is_incomplete": Text("收录不完整", "Not complete"),
    "version": Text("规则版本", "Version of the rules"),
    "version_from": Text("第{version}版，自{day}起", "version {version}, from {day} on"),
    "all_marks": Text("全部标志", "All marks"),
    # bodies
    "bodies_title": Text("认证机构", "Certification bodies"),
    "bodies_lead": Text(
        "谁获准发证、可以发哪些证、用哪些密钥签名，以及资质何时起暂停或撤销。撤销的机构不会从这里删去。",
        "Who may certify, under which schemes, with which keys, and since when an approval is suspended or withdrawn. "
        "A body that lost its approval is never removed from this list.",
    ),
    "bodies_field": Text("机构名称或批准号", "Name or approval number"),
    "scheme_only": Text("只列可按此项目发证的机构：{scheme}", "Only bodies that may issue under: {scheme}"),
    "approval_no": Text("批准号", "Approval number"),
    "approved_since": Text("批准期限", "Approved for"),
    "since": Text("自{day}起", "since {day}"),
    "approval_history": Text("资质经过", "Approval"),
    "scopes": Text("可以发证的项目", "Schemes that it may certify under"),
    "no_scopes": Text("没有登记的项目。", "None is registered."),
    "keys": Text("签名密钥", "Signing keys"),
    "keys_text": Text(
        "机构申报的每一件事都用其中一把密钥签名。公钥可以下载，用来自行验证。",
        "Everything that the body reports is signed with one of these. The public keys can be downloaded for checking.",
    ),
    "no_keys": Text("没有登记的密钥。", "No key is registered."),
    "key": Text("密钥编号", "Key"),
    "purpose": Text("用途", "Purpose"),
    "purpose_event": Text("申报", "events"),
    "purpose_declaration": Text("自我声明", "declarations"),
    "purpose_seal": Text("登记机构封签", "the registry's seal"),
    "purpose_mark": Text("标志二维码", "mark codes"),
    "purpose_status": Text("状态列表", "status lists"),
    "purpose_log": Text("公开日志", "the public log"),
    "purpose_trust": Text("信任列表", "trust list"),
    "key_in_use": Text("使用中", "in use"),
    "key_ahead": Text("未到启用日期", "not yet in use"),
    "key_ended": Text("已到期", "ended"),
    "key_retired": Text("已停用", "retired"),
    "key_compromised": Text("已泄露", "compromised"),
    "backfills": Text("历史补报窗口", "Windows for reporting history"),
    "backfill": Text("{day}以前的事，可补报至{until}", "what happened up to {day}, reported until {until}"),
    "members_of": Text("所属联盟", "Member of"),
    "all_bodies": Text("全部机构", "All bodies"),
    "others_keys": Text("登记机构与监管部门的密钥", "Keys of the registry and the authorities"),
    "others_keys_text": Text(
        "登记机构用封签密钥为每条记录封签，用标志密钥为二维码签名。",
        "The registry seals every record with its seal key and signs mark codes with its mark key.",
    ),
    "owner": Text("归属", "Owner"),
    "owner_registry": Text("登记机构 {id}", "registry {id}"),
    "owner_authority": Text("监管部门 {id}", "authority {id}"),
    "owner_alliance": Text("联盟 {id}", "alliance {id}"),
    # data
    "data_title": Text("开放数据", "Open data"),
    "data_lead": Text(
        "整个登记册可以下载、核对和自行重建。不必相信本网站：每份文件都有校验值和登记机构的签名。",
        "The whole register can be downloaded, checked and rebuilt. You need not trust this site: every file has a "
        "checksum and the registry's signature.",
    ),
    "dumps": Text("数据文件", "Dumps"),
    "dumps_text": Text(
        "一份数据文件（转储）是登记册在某一条目处的完整内容；同一位置的文件无论何时生成，逐字节相同。已发布的列在登记机构的接口上：",
        "A dump is the register at one entry; a dump of a position is the same byte for byte whenever it is made. "
        "Published dumps are listed by the registry:",
    ),
    "table": Text("表", "Table"),
    "holds": Text("内容", "Holds"),
    "t_certificates": Text("证书和自我声明，每张一行", "certificates and declarations, one row each"),
    "t_marks": Text("标志使用授权，每项一行", "mark authorisations, one row each"),
    "t_bodies": Text("认证机构，每家一行", "certification bodies, one row each"),
    "t_schemes": Text("认证制度，每个版本一行", "schemes, one row for each version"),
    "t_recalls": Text("召回与暂停销售，包括已结束的", "recalls and stops of sale, closed ones included"),
    "t_warnings": Text("消费警示，包括已撤回和已过期的", "consumer alerts, withdrawn and past ones included"),
    "t_entries": Text("全部条目，包括被拒绝的", "every entry, refused ones included"),
    "formats": Text("格式", "Formats"),
    "formats_text": Text(
        "JSONL（每行一个对象）、CSV（RFC 4180，UTF-8）和 Parquet。每列的类型与含义写在随附的 manifest.json 里。",
        "JSONL (an object a line), CSV (RFC 4180, UTF-8) and Parquet. Type and meaning of every column are in the "
        "manifest.json beside them.",
    ),
    "verify_dump": Text("怎样核对", "How to check a dump"),
    "verify_dump_text": Text(
        "manifest.json 列出每个文件的 SHA-256；manifest.jws 是登记机构对它的签名；keys.jws 是从创始事件到该密钥的签名链。下面的命令检查全部三项，不需要联网：",
        "manifest.json has the SHA-256 of every file, manifest.jws is the registry's signature on it, keys.jws the "
        "signed chain from the first event to that key. This command checks all three, without a network:",
    ),
    "by_hand": Text("只核对校验值，也可以用：", "For the checksums alone:"),
    "topic": Text("状态数据流", "The state topic"),
    "topic_text": Text(
        "登记机构把每张证书、每家机构、每把密钥的最新状态封签后，按次序发布到一个公开的数据流（certmark.state.v1）。本网站只是它的一份副本；任何人都可以运行自己的副本。每条记录是一个 JWS。",
        "The registry publishes the latest state of every certificate, body and key, sealed and in order, on one "
        "topic (certmark.state.v1). This site is a copy of it, and anybody may run another. Each record is a JWS.",
    ),
    "lists": Text("状态列表", "Status lists"),
    "lists_text": Text(
        "供断网时核对标志二维码：每项授权在列表里占两位（有效、撤销、暂停、注销），列表由登记机构签名，有到期时间。过期的列表只能得出“暂时无法判断”。",
        "For checking a mark's code without a network: two bits for each authorisation (valid, revoked, suspended, "
        "cancelled) in a list that the registry signs and that expires. Past its end a list says “cannot check now”.",
    ),
    "one_record": Text("单张证书", "One certificate"),
    "one_record_text": Text(
        "不必相信本网站。每个证书页面都给出它所依据的封签记录（一个 JWS，内容就是页面所示的状态）和封签公钥。公钥编号与 JWS 头部的 "
        "kid 相同，算法为其中的 alg，用任何 JOSE 程序库即可验证。公钥文件里的 event 是登记这把密钥的签名事件，可一直追溯到登记册的创始事件；"
        "“对该事件的决定”由登记机构按事件摘要给出，写明何时登记。",
        "You need not trust this site. Every certificate's page offers the sealed record behind it, a JWS whose payload "
        "is the state that the page shows, and the seal's public key. The key's id is the kid of the JWS header and its "
        "algorithm the alg: any JOSE library can check it. The event beside the key is the signed one that registered "
        "it, and leads back to the register's first event. The decision tells by the event's digest when it was recorded.",
    ),
    "for_programs": Text("给程序的接口", "For programs"),
    "for_programs_text": Text("查询接口、批量核对和数据模式：", "Look-ups, bulk checks and schemas:"),
    # status
    "status_title": Text("数据状态", "State of the data"),
    "status_lead": Text(
        "本页只看这个查询节点自己的数据，登记机构和其他系统都停机时也能打开。",
        "This page looks at this node's own data alone and opens while the registry and everything else is down.",
    ),
    "status_good": Text("数据完整且新鲜", "Complete and fresh"),
    "status_good_text": Text("可以据此查询。", "Look-ups are answered from it."),
    "status_stale": Text("数据过旧", "Too old"),
    "status_stale_text": Text(
        "超过时限的数据不用来下结论：所有查询都答复“暂时无法判断”。",
        "Data past its limit decides nothing: every look-up is answered “cannot check right now”.",
    ),
    "status_building": Text("正在重建", "Being rebuilt"),
    "status_building_text": Text(
        "还没有读完登记册：所有查询都答复“暂时无法判断”，而不是“查无此编号”。",
        "The register has not been read whole: every look-up is answered “cannot check right now”, never “not found”.",
    ),
    "status_missing": Text("没有数据", "No data"),
    "status_missing_text": Text(
        "这个节点没有可用的数据文件：所有查询都答复“暂时无法判断”。",
        "This node has no data file that can be used: every look-up is answered “cannot check right now”.",
    ),
    "now": Text("现在", "Now"),
    "age": Text("数据时间距今", "Age"),
    "hours": Text("{hours}小时{minutes}分", "{hours} h {minutes} min"),
    "minutes": Text("{minutes}分{seconds}秒", "{minutes} min {seconds} s"),
    "seconds": Text("{seconds}秒", "{seconds} s"),
    "list_name": Text("状态列表 {number}", "status list {number}"),
    "limit": Text("时限", "Limit"),
    "limit_is": Text("{hours}小时", "{hours} h"),
    "districts": Text("复制码按地区识别", "Copied codes by district"),
    "districts_used": Text(
        "使用地区表：{networks}个网段，{districts}个地区（SHA-256 {digest}…）",
        "a table is in use: {networks} networks, {districts} districts (SHA-256 {digest}…)",
    ),
    "districts_none": Text(
        "没有地区表：只凭查询次数识别复制的标志码，较慢",
        "no table: copied codes are told by the number of look-ups alone, which takes longer",
    ),
    "districts_unknown": Text("这个节点没有统计过查询", "this node has not counted look-ups"),
    "last_entry": Text("登记册最后一条", "Last register entry"),
    "position": Text("已读到的位置", "Position read to"),
    "list": Text("列表", "List"),
    "lists_age": Text("状态列表的时间", "Age of the status lists"),
    "no_lists": Text("这个节点没有状态列表。", "This node holds no status list."),
    "published_at": Text("发布时间", "Published at"),
    # figures
    "stats_title": Text("统计", "Figures"),
    "stats_lead": Text(
        "由本节点自己的数据算出，包括自我声明。每张图旁都有它的数字，也可以下载。",
        "Counted from this node's own data, self-declarations included. Beside each chart stand its figures, which can be downloaded.",
    ),
    "counted_on": Text("按此日的状态统计", "Standing as of"),
    "total": Text("证书和声明", "Certificates and declarations"),
    "total_valid": Text("其中有效", "Of these valid"),
    "total_bodies": Text("今天获准发证的机构", "Bodies approved today"),
    "stats_schemes": Text("各认证制度的证书", "Certificates by scheme"),
    "stats_months": Text("最近十二个月新发的证书", "New certificates in the last twelve months"),
    "stats_reasons": Text(
        "最近十二个月的暂停、撤销和注销，按原因",
        "Suspensions, revocations and cancellations of the last twelve months by reason",
    ),
    "stats_bodies": Text("各机构的证书", "Certificates by body"),
    "stats_districts": Text("上海各区持有人的有效证书", "Valid certificates by the holder's district"),
    "map_text": Text(
        "示意图：每区一格，大小相同，位置大致如地图。颜色越深数量越多，数字写在格内。",
        "A drawing, not a map: one tile of equal size for each district, placed roughly as on a map. The darker, the more; the number stands inside.",
    ),
    "largest_only": Text(
        "图表列出有效证书最多的{shown}家，全部{count}家见文件。",
        "The {shown} with most valid certificates are shown; the file has all {count}.",
    ),
    "scheme_of": Text("认证制度", "Scheme"),
    "body_of": Text("机构", "Body"),
    "month": Text("月份", "Month"),
    "kind": Text("种类", "Kind"),
    "reason": Text("原因", "Reason"),
    "district": Text("区", "District"),
    "count": Text("数量", "Count"),
    "whole": Text("合计", "All"),
    "city_only": Text("上海（未写明区）", "Shanghai, no district stated"),
    "not_stated": Text("未写明", "Not stated"),
    "table_behind": Text("图中的数字", "The figures behind the chart"),
    "chart_about": Text(
        "共{count}项，最多的是：{largest}。全部数字见旁边的表。",
        "{count} items; the largest: {largest}. The table beside it has all figures.",
    ),
    # privacy
    "privacy_title": Text("隐私说明", "Privacy"),
    "privacy_lead": Text(
        "查询不需要您的任何个人信息，我们也不收集。",
        "A look-up needs nothing about you, and nothing about you is collected.",
    ),
}

PRIVACY: tuple[tuple[Text, Text], ...] = (
    (
        Text("查询", "Looking up"),
        Text(
            "查询页面不设置Cookie，不运行脚本（扫码页除外），不向任何其他网站发出请求，不要求登录、关注、手机号或位置。",
            "Look-up pages set no cookie, run no script (the scanner page apart), ask nothing of any other site, and want "
            "no login, no following, no phone number and no location.",
        ),
    ),
    (
        Text("日志", "Logs"),
        Text(
            "不记录您的网络地址、浏览器标识和查询的编号。系统只按地址种类统计请求的次数、结果和用时；程序出错时记下出错的地址路径和一个编号，用于排查。",
            "Your network address, your browser's name and the numbers that you look up are not logged. What is counted is "
            "how many requests of each kind there were, how they ended and how long they took; a fault in the program is "
            "logged with the path of the page and an id, so that it can be mended.",
        ),
    ),
    (
        Text("扫码统计", "Scan statistics"),
        Text(
            "为了发现被复制的标志码，按单件标志码统计查询次数。这种统计只有日期和大致区域，不含任何能认出人的内容，"
            f"{KEPT_DAYS}天后删除。",
            "To find copied codes, look-ups of a single unit's code are counted: by day and rough area only, with nothing "
            f"that could identify anybody, and deleted after {KEPT_DAYS} days.",
        ),
    ),
    (
        Text("反映问题", "Reports"),
        Text(
            "反映问题不必留下身份。愿意留下的联系方式只用来核查这一件事，不公开、不进入公开日志，"
            f"有结果后{KEPT_AFTER_DECISION_DAYS}天删除，最长{KEPT_AT_MOST_DAYS}天，也可随时自行删除。也可以直接拨打 12315。",
            "A report needs no identity. A contact that you choose to leave is used to look into that report and nothing "
            f"else, is never published nor put into the public log, and is deleted {KEPT_AFTER_DECISION_DAYS} days after "
            f"the outcome, {KEPT_AT_MOST_DAYS} days after receipt at most, or whenever you wish. You can also call 12315.",
        ),
    ),
    (
        Text("登记册里的人", "People in the register"),
        Text(
            "登记册登记的是组织。签发人和审核人在申报中只有工作编号，而且不出现在公开页面上；个体经营者以字号和信用代码登记。发现某页显示了自然人的姓名，请告知我们，即予更正。",
            "The register is about organisations. Those who sign and audit appear in events by staff number alone, and on "
            "no public page; sole traders are registered by trade name and credit code. If a page shows the name of a "
            "natural person, tell us and it will be corrected.",
        ),
    ),
    (
        Text("依据", "Legal ground"),
        Text(
            "按《个人信息保护法》的最小必要、告知和最短保存原则处理（第六条、第十七条、第十九条）。不处理即不保存。",
            "Handled by the principles of the Personal Information Protection Law: the least that is needed, with notice, "
            "for the shortest time (articles 6, 17 and 19). What is not collected is not kept.",
        ),
    ),
)
"""(heading, text) of the privacy page."""
