"""What the check with the network off says beyond the catalogue: on the command line and in the scanner."""

from enum import StrEnum

from services.language import HTML_LANG
from services.verify.wording import ANSWERS, LABELS, SILENT, SYSTEM_NEXT_STEP, VERDICT, Code, Text


class Why(StrEnum):
    """What a `status_unknown` of the offline check rests on."""

    NEEDS_NETWORK = "needs_network"
    NO_TRUST_LIST = "no_trust_list"
    TRUST_LIST_EXPIRED = "trust_list_expired"
    CLOCK_BEHIND = "clock_behind"
    NEWER_THAN_LIST = "newer_than_list"
    KEY_COMPROMISED = "key_compromised"
    PRINTED_VALIDITY_PAST = "printed_validity_past"
    NO_STATUS_LIST = "no_status_list"
    STATUS_LIST_REFUSED = "status_list_refused"
    STATUS_LIST_EXPIRED = "status_list_expired"
    UNIT_UNTOLD = "unit_untold"


NEITHER = Text(
    "不表示商品有问题，也不表示没有问题。", "This says neither that the item is in order nor that it is not."
)

BECAUSE: dict[Why, Text] = {
    Why.NEEDS_NETWORK: Text(
        "没有二维码签名的编号只能联网查询。", "A number without a code's signature can only be looked up online."
    ),
    Why.NO_TRUST_LIST: Text(
        "本机尚无信任列表，请先联网更新。", "There is no trust list on this device yet; update it online first."
    ),
    Why.TRUST_LIST_EXPIRED: Text(
        "本机的信任列表已过期，请联网更新。", "The trust list on this device has expired; update it online."
    ),
    Why.CLOCK_BEHIND: Text(
        "本机时钟早于列表的签发时间，请校准时钟。", "This device's clock is behind the lists; set it right."
    ),
    Why.NEWER_THAN_LIST: Text(
        "此码签发于本机信任列表之后，请联网更新。",
        "This code is newer than the trust list on this device; update it online.",
    ),
    Why.KEY_COMPROMISED: Text(
        "签发此码的密钥已泄露，离线无法判断真伪，请联网查询。",
        "The key behind this code has been compromised; look it up online.",
    ),
    Why.PRINTED_VALIDITY_PAST: Text(
        "码上印制的有效期已过，是否已续期须联网查询。",
        "The validity printed in the code has passed; whether it was renewed can only be looked up online.",
    ),
    Why.NO_STATUS_LIST: Text(
        "签名有效，但本机没有此标志的状态列表，请联网更新。",
        "The signature holds, but this device has no status list for this mark; update it online.",
    ),
    Why.STATUS_LIST_REFUSED: Text(
        "签名有效，但本机的状态列表未通过验证，不能据以判断。",
        "The signature holds, but the status list on this device did not pass its checks.",
    ),
    Why.STATUS_LIST_EXPIRED: Text(
        "签名有效，但本机的状态列表已过期，请联网更新。",
        "The signature holds, but the status list on this device has expired; update it online.",
    ),
    Why.UNIT_UNTOLD: Text(
        "签名有效，但凭本机的状态列表不能得知这一个单件标志码是否已单独作废，请联网查询。",
        "The signature holds, but the status list on this device does not tell whether this one unit's code was "
        "voided; look it up online.",
    ),
}

_DETAILS_ONLINE = Text("原因和日期请联网查询。", "Reason and date are to be had online.")

OFFLINE: dict[Code, Text] = {
    Code.SUSPENDED: Text(
        f"状态列表显示：此标志或其证书已暂停，目前不得使用。{_DETAILS_ONLINE.zh}",
        f"The status list says that this mark or its certificate is suspended: not to be used. {_DETAILS_ONLINE.en}",
    ),
    Code.REVOKED: Text(
        f"状态列表显示：此标志或其证书已撤销。{_DETAILS_ONLINE.zh}",
        f"The status list says that this mark or its certificate is revoked. {_DETAILS_ONLINE.en}",
    ),
    Code.CANCELLED: Text(
        f"状态列表显示：此标志或其证书已注销、更换或到期，不等于产品不合格。{_DETAILS_ONLINE.zh}",
        "The status list says that this mark or its certificate is cancelled, replaced or ended; not by itself a "
        f"failed product. {_DETAILS_ONLINE.en}",
    ),
    Code.MARK_NOT_AUTHORIZED: Text(
        f"状态列表显示：这一个单件标志码已单独作废，同批其他标志码不受影响。{_DETAILS_ONLINE.zh}",
        "The status list says that this one unit's code has been voided; others of the same run are not touched. "
        f"{_DETAILS_ONLINE.en}",
    ),
}
"""Answers of which the offline check knows less than their sentence in the catalogue says."""

WITHOUT_PRODUCT = Text(
    "此码不指向具体商品：不代表任何产品通过认证，认证范围请联网查看。",
    "This code names no product: it certifies none. See the scope of certification online.",
)

SCAN: dict[str, Text] = {
    "title": Text("扫码验证", "Scan and check"),
    "intro": Text(
        "扫描认证标志旁的二维码。签名在本机验证，断网时也能判断。",
        "Scan the code beside the mark. Its signature is checked on this device, also with the network off.",
    ),
    "camera": Text("打开摄像头", "Open the camera"),
    "camera_stop": Text("关闭摄像头", "Close the camera"),
    "photo": Text("选择照片", "Choose a photo"),
    "check": Text("验证", "Check"),
    "field": Text("二维码内容、网址或编号", "The code's text, an address or a number"),
    "looking": Text("请将二维码对准画面中央。", "Hold the code in the middle of the picture."),
    "loading": Text("正在加载识读组件…", "Loading the reader …"),
    "working": Text("正在验证…", "Checking …"),
    "camera_denied": Text(
        "未获准使用摄像头。仍可选择照片或输入内容。", "The camera may not be used. A photo or typing works as well."
    ),
    "camera_missing": Text(
        "没有可用的摄像头。仍可选择照片或输入内容。", "There is no camera to use. A photo or typing works as well."
    ),
    "in_app": Text(
        "在微信、支付宝内可能无法使用摄像头和离线验证：请选择照片，或用系统浏览器打开本页。",
        "Inside WeChat or Alipay camera and offline check may be missing: choose a photo, or open this in the browser.",
    ),
    "no_reader": Text(
        "本机浏览器不能识读图片，且服务器未安装识读组件：请输入内容，或用手机相机扫码。",
        "This browser reads no codes and the server has no reader installed: type it, or use the phone's own camera.",
    ),
    "no_offline": Text(
        "服务器未安装离线验证组件：目前只能联网查询。",
        "The parts for the offline check are not installed on the server: only look-ups online work.",
    ),
    "too_old": Text(
        "此浏览器不能自己验证二维码。请用手机相机扫码，或在下面输入编号。",
        "This browser cannot check codes by itself. Use the phone's own camera, or type the number below.",
    ),
    "intro_online": Text(
        "扫描认证标志旁的二维码，联网查询结果。",
        "Scan the code beside the mark; the answer is looked up online.",
    ),
    "no_code": Text(
        "照片中没有找到二维码。请靠近、对准、照亮后重拍，或输入旁边的编号。",
        "No code was found in the photo. Take it nearer, sharp and in good light, or type the number beside the code.",
    ),
    "photo_unreadable": Text(
        "这个文件不能作为图片打开。HEIC 照片请截图后再选，或输入编号。",
        "This file cannot be opened as an image. Of a HEIC photo choose a screenshot, or type the number.",
    ),
    "photo_too_large": Text("图片过大，请选择较小的照片。", "The image is too large; choose a smaller photo."),
    "several": Text("图中有 {n} 个二维码，逐一列出：", "There are {n} codes in the picture, one by one:"),
    "online_wins": Text(
        "联网结果较新，以联网结果为准；离线验证为“{title}”。",
        "The answer online is newer and counts; on this device it was “{title}”.",
    ),
    "online_agrees": Text("联网查询结果一致。", "The look-up online says the same."),
    "online_failed": Text(
        "未能联网核对，以上仅为离线验证结果。",
        "It could not be looked up online; this is the check on this device alone.",
    ),
    "online_only": Text("离线不能判断，这是联网结果。", "Not to be told offline; this is the answer online."),
    "open_page": Text("查看完整结果", "See the whole answer"),
    "scan_again": Text("再扫一个", "Scan another"),
    "claims": Text("码上内容（签名有效）", "What the code says (its signature holds)"),
    "mark_no": Text("标志编号", "Mark number"),
    "certificate_no": Text("证书编号", "Certificate number"),
    "gtin": Text("商品条码", "Bar code"),
    "serial": Text("序列号", "Serial number"),
    "model": Text("型号", "Model"),
    "printed": Text("码上有效期", "Validity in the code"),
    "rests_on": Text("离线验证所依据的列表", "The lists behind the check on this device"),
    "lists": Text("本机的离线数据", "Offline data on this device"),
    "trust_list": Text("信任列表", "Trust list"),
    "status_list": Text("状态列表", "Status list"),
    "trust_age": Text(
        "第 {version} 版，{iat} 签发（{age}前），有效至 {exp}",
        "version {version}, issued {iat} ({age} ago), until {exp}",
    ),
    "status_age": Text(
        "第 {id} 号，{iat} 签发（{age}前），有效至 {exp}", "no. {id}, issued {iat} ({age} ago), until {exp}"
    ),
    "ran_out": Text("已过期", "expired"),
    "none_yet": Text("尚无", "none yet"),
    "not_asked": Text("未用到", "not needed for this answer"),
    "status_lists_of": Text("状态列表", "Status lists"),
    "status_lists": Text("{n} 个，最早有效至 {exp}", "{n}, the first until {exp}"),
    "refresh": Text("更新离线数据", "Update the offline data"),
    "refreshed": Text("已更新。", "Updated."),
    "not_kept": Text(
        "浏览器未能保存（空间不足或不允许）：离线数据关闭本页后即失去。",
        "The browser could not keep them (no room, or not allowed): the offline data is gone when this page is closed.",
    ),
    "refresh_failed": Text("未能更新（{code}），继续使用已有数据。", "Not updated ({code}); what is here is kept."),
    "refresh_refused": Text(
        "服务器给出的列表未通过验证（{code}），已拒绝，继续使用已有数据。",
        "The lists that the server gave did not pass their checks ({code}) and are refused; what is here is kept.",
    ),
    "you_are_offline": Text(
        "现在没有网络，按本机数据判断。", "There is no network now; answers come from this device's data."
    ),
    "minutes": Text("{n} 分钟", "{n} min"),
    "hours": Text("{n} 小时", "{n} h"),
    "days": Text("{n} 天", "{n} d"),
    "noscript": Text(
        "扫描需要脚本。没有脚本时，请用手机相机扫码，或在首页输入编号。",
        "Scanning needs script. Without it use the phone's own camera, or type the number on the front page.",
    ),
    "front": Text("去首页输入编号", "Type a number on the front page"),
}

_FROM_THE_CATALOGUE = ("answer", "next", "checked_at", "beijing", "colon", "from_to", "no_end")


def exported() -> dict[str, object]:
    """The catalogue for the scanner's script: the same sentences, not a copy of them."""

    def both(text: Text) -> dict[str, str]:
        return {"zh": text.zh, "en": text.en}

    answers = {
        code.value: {
            "family": worded.family.value,
            "title": both(worded.title),
            "explanation": both(OFFLINE.get(code, worded.explanation)),
            "next_step": both(worded.next_step),
        }
        for code, worded in ANSWERS.items()
    }
    return {
        "answers": answers,
        "because": {why.value: both(text) for why, text in BECAUSE.items()},
        "neither": both(NEITHER),
        "silent": sorted(code.value for code in SILENT),
        "without_product": both(WITHOUT_PRODUCT),
        "without_product_next": both(SYSTEM_NEXT_STEP),
        "verdict": {family.value: both(text) for family, text in VERDICT.items()},
        "label": {name: both(LABELS[name]) for name in _FROM_THE_CATALOGUE}
        | {name: both(text) for name, text in SCAN.items()},
        "html_lang": HTML_LANG,
    }
