"""Why a certificate was suspended, revoked or cancelled: the closed list of reason codes (domain rules §2.3)."""

from collections.abc import Mapping
from types import MappingProxyType

FAILED_CHECK = "S01"
"""A suspension for an official spot check that was failed."""

ASKED_FOR = "S08"
"""The one that nobody determines: the holder asks for it."""

REASONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "S01": (
            "国家或地方监督抽查不合格，但不需立即撤销",
            "failed an official spot check, not grave enough to end it",
        ),
        "S02": ("未按期接受监督或拒绝飞行检查", "surveillance missed, or an unannounced check refused"),
        "S03": ("监督中发现不符合，可整改", "non-conformity found in surveillance, can be corrected"),
        "S04": ("违规使用证书或标志", "misuse of the certificate or mark"),
        "S05": ("标准或规则换版后未按期变更", "not changed in time to a new edition of standard or rules"),
        "S06": ("不配合抽样", "sampling not supported"),
        "S07": ("信息变更未申报", "changes not reported"),
        "S08": ("持有人申请（季节性、订单）", "at the holder's request (season, orders)"),
        "S09": ("其他", "other"),
        "S10": ("未履行合同义务", "contract not fulfilled"),
        "S11": ("被责令停业整顿", "ordered to stop business for correction"),
        "S12": ("许可证过期待换", "licence expired, renewal pending"),
        "R01": ("法律地位注销或被撤销", "legal status ended"),
        "R02": ("列入严重失信名单", "on the list of serious breach of trust"),
        "R03": ("拒绝检查或提供虚假材料", "inspection refused or false material given"),
        "R04": ("拒绝国家监督抽查", "official spot check refused"),
        "R05": ("发生重大质量安全事故", "serious quality or safety accident"),
        "R06": ("其他严重违法", "other serious breach of law"),
        "R07": ("暂停期满问题未解决", "not resolved when the suspension ended"),
        "R08": ("体系不运行", "the management system does not run"),
        "R09": ("违规宣传严重或逾期未纠正", "serious misleading claims, or not corrected in time"),
        "R10": ("其他", "other"),
        "R11": ("以欺骗、贿赂等手段取得", "obtained by fraud or bribery"),
        "C01": ("规则或标准变更，持有人放弃", "given up after a change of rules or standard"),
        "C02": ("有效期满未延续", "not renewed at the end of validity"),
        "C03": ("不再生产", "no longer produced"),
        "C04": ("持有人申请", "at the holder's request"),
        "C05": ("产品调出目录", "product removed from the catalogue"),
        "C06": ("产品列入淘汰目录", "product on the list of those to be phased out"),
    }
)
