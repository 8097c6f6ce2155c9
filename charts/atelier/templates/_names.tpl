{{/* A DNS label of `text`; what had to be changed or cut is kept apart by a hash. */}}
{{- define "atelier.label" -}}
{{- $longest := int (.longest | default 63) -}}
{{- $fit := regexReplaceAll "[^a-z0-9-]" (lower .text) "-" | trimAll "-" -}}
{{- if and (eq $fit .text) (le (len $fit) $longest) -}}
{{- $fit -}}
{{- else -}}
{{- printf "%s-%s" (trunc (int (sub $longest 7)) $fit | regexFind "^.*[^-]") (sha256sum .text | trunc 6) -}}
{{- end -}}
{{- end -}}

{{/* The RayService; every other name begins with it. */}}
{{- define "atelier.name" -}}
{{- include "atelier.label" (dict "text" (lower .Values.config.stackName) "longest" 47) -}}
{{- end -}}

{{/* A runtime's NodePool and EC2NodeClass. */}}
{{- define "atelier.pool" -}}
{{- include "atelier.label" (dict "text" (printf "%s-runtime-%s" (lower .stack) .runtime)) -}}
{{- end -}}

{{/* Ray's own resource that only a runtime's pods have. KubeRay takes one that ends in "gpu" for GPUs. */}}
{{- define "atelier.place" -}}
{{- printf "%s-place-of-runtime" . -}}
{{- end -}}

{{/* What selects the pods of a component. */}}
{{- define "atelier.selector" -}}
app.kubernetes.io/part-of: atelier
app.kubernetes.io/instance: {{ include "atelier.name" .root }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* The labels of an object. */}}
{{- define "atelier.labels" -}}
{{ include "atelier.selector" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* An image of the platform: that of the head, or of a runtime's type. */}}
{{- define "atelier.image" -}}
{{- $aws := .settings.aws -}}
{{- $domain := eq $aws.partition "aws-cn" | ternary "amazonaws.com.cn" "amazonaws.com" -}}
{{- $own := printf "%s.dkr.ecr.%s.%s/%s" $aws.account $aws.region $domain (lower .settings.stackName) -}}
{{- printf "%s/atelier-%s:%s" (.settings.images.repository | default $own) .of .settings.images.tag -}}
{{- end -}}

{{/* The claim of the model bucket. What it says is in its name: neither it nor its volume can be changed. */}}
{{- define "atelier.checkpoints" -}}
{{- $bucket := regexReplaceAll "^.*:::" .settings.modelBucketArn "" -}}
{{- $says := printf "%s %d" $bucket (int .settings.storage.checkpointCache) -}}
{{- printf "%s-checkpoints-%s" (include "atelier.name" .root) (sha256sum $says | trunc 6) -}}
{{- end -}}

{{/* The address of what keeps the head's state. */}}
{{- define "atelier.redis" -}}
{{- .settings.rayCluster.redisAddress | default (printf "%s-redis:6379" (include "atelier.name" .root)) -}}
{{- end -}}
