"""The fields of KubeRay's RayJob that our spec uses, as JSON schema.

Written by hand after KubeRay 1.5.1's API ``ray.io/v1`` (RayJobSpec, RayClusterSpec, AuthOptions,
HeadGroupSpec, WorkerGroupSpec) and Kubernetes' PodTemplateSpec. A field that is not named here is
refused, as a typo would be: Kubernetes drops unknown fields without a word.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def an_object(required: tuple[str, ...] = (), **fields: Schema) -> Schema:
    """An object with these fields and no other."""
    return {
        "type": "object",
        "properties": fields,
        "required": list(required),
        "additionalProperties": False,
    }


def a_list(item: Schema) -> Schema:
    """At least one of these."""
    return {"type": "array", "items": item, "minItems": 1}


TEXT: Schema = {"type": "string", "minLength": 1}
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
"""Labels, parameters of ``ray start``: values are strings, so numbers need quotes."""
TRUTH: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NAME: Schema = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}
QUANTITY: Schema = {
    "anyOf": [
        {"type": "integer"},
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(m|[kKMGT]i?)?$"},
    ]
}
AMOUNTS = an_object(cpu=QUANTITY, memory=QUANTITY)
RESOURCES = an_object(("requests", "limits"), requests=AMOUNTS, limits=AMOUNTS)

CONTAINER = an_object(
    ("name", "image", "resources"),
    name=NAME,
    image=TEXT,
    ports=a_list(an_object(("containerPort",), containerPort=COUNT, name=NAME)),
    env=a_list(an_object(("name",), name=TEXT, value={"type": "string"})),
    envFrom=a_list(an_object(secretRef=an_object(("name",), name=NAME))),
    resources=RESOURCES,
)
POD = an_object(("spec",), spec=an_object(("containers",), containers=a_list(CONTAINER)))

RAY_CLUSTER_SPEC = an_object(
    ("headGroupSpec",),
    rayVersion={"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
    authOptions=an_object(("mode",), mode={"enum": ["token", "disabled"]}),
    enableInTreeAutoscaling=TRUTH,
    autoscalerOptions=an_object(
        upscalingMode={"enum": ["Default", "Aggressive", "Conservative"]},
        idleTimeoutSeconds=COUNT,
    ),
    headGroupSpec=an_object(("rayStartParams", "template"), rayStartParams=TEXTS, template=POD),
    workerGroupSpecs=a_list(
        an_object(
            ("groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"),
            groupName=NAME,
            replicas=COUNT,
            minReplicas=COUNT,
            maxReplicas=COUNT,
            rayStartParams=TEXTS,
            template=POD,
        )
    ),
)

RAY_JOB = an_object(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=an_object(("name",), name=NAME),
    spec=an_object(
        ("entrypoint", "rayClusterSpec"),
        entrypoint=TEXT,
        metadata=TEXTS,
        runtimeEnvYAML=TEXT,
        submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
        backoffLimit=COUNT,
        submitterConfig=an_object(backoffLimit=COUNT),
        shutdownAfterJobFinishes=TRUTH,
        ttlSecondsAfterFinished=COUNT,
        rayClusterSpec=RAY_CLUSTER_SPEC,
    ),
)
