{{/* What every pod has: who it is, and what it may do on its node. */}}
{{- define "atelier.pod" -}}
serviceAccountName: {{ include "atelier.name" .root }}-{{ .component }}
enableServiceLinks: false
securityContext:
  {{- include "atelier.fixed" (dict "root" .root "of" "podSecurity") | nindent 2 }}
{{- end -}}

{{/* No limit of cores: a head that waits for its share holds the whole cluster up. */}}
{{- define "atelier.resources" -}}
requests:
  cpu: {{ .cpu | quote }}
  memory: {{ .memory }}Gi
limits:
  memory: {{ .memory }}Gi
{{- end -}}

{{/* API keys, from a Secret; without it the HTTP API refuses everybody, and SNS still works. */}}
{{- define "atelier.keys" -}}
- secretRef:
    name: {{ include "atelier.name" . }}-keys
    optional: true
{{- end -}}

{{/* The claim of the weights: the pod's own, else that of the bucket, if there is one. */}}
{{- define "atelier.claim" -}}
{{- if .own -}}
{{- .own -}}
{{- else if .settings.modelBucketArn -}}
{{- include "atelier.checkpoints" . }}
{{- end -}}
{{- end -}}

{{- define "atelier.volumes" -}}
- name: checkpoints
  persistentVolumeClaim:
    claimName: {{ . }}
    readOnly: true
{{- end -}}

{{- define "atelier.mounts" -}}
- name: checkpoints
  mountPath: /mnt/checkpoints
  readOnly: true
{{- end -}}

{{/* What keeps every other pod off a runtime's nodes. */}}
{{- define "atelier.taints" -}}
{{- if .gpus }}
- key: nvidia.com/gpu
  effect: NoSchedule
{{- end }}
- key: runtime
  value: {{ include "atelier.label" (dict "text" .name) }}
  effect: NoSchedule
{{- range .nodes.taints }}
- key: {{ .key }}
  {{- with .value }}
  value: {{ . | quote }}
  {{- end }}
  effect: {{ .effect | default "NoSchedule" }}
{{- end }}
{{- end -}}

{{/* Cores and GiB for a pod with one GPU, so that it fits on the smallest of the instances. */}}
{{- define "atelier.share" -}}
{{- $cpus := 1000 -}}
{{- $memory := 10000 -}}
{{- range .of -}}
  {{- $one := get $.instances . | default $.instances.unknown -}}
  {{- $cpus = min $cpus $one.podCpus -}}
  {{- $memory = min $memory $one.podMemory -}}
{{- end -}}
cpus: {{ $cpus }}
memory: {{ $memory }}
{{- end -}}

{{/* The pods of each kind of capacity that a runtime may have, those of its first replicas, and the replicas of each. */}}
{{- define "atelier.podCounts" -}}
{{- $gpus := int (ceil .gpus) -}}
{{- $each := ternary (int (floor (divf $gpus (.gpus | default 1)))) 1 (gt $gpus 0) -}}
{{- $least := int (.replicas | default .scaling.minReplicas) -}}
{{- $replicas := int (.replicas | default .scaling.maxReplicas) -}}
{{- if not (or $replicas .nodes.maxGpus) -}}
  {{- $replicas = max $least 5 -}}
  {{- range .scaling.schedule -}}{{- $replicas = max $replicas .minReplicas -}}{{- end -}}
{{- end -}}
{{- $pods := div (add $replicas $each -1) $each -}}
{{- with .nodes.maxGpus -}}
  {{- $allowed := div . (max 1 $gpus) -}}
  {{- $pods = ternary (min $pods $allowed) $allowed (gt $replicas 0) -}}
{{- end -}}
most: {{ $pods }}
first: {{ div (add (max 1 $least) $each -1) $each }}
each: {{ $each }}
{{- end -}}
