{{/* What a node class has whatever it is for. */}}
{{- define "atelier.nodeClass" -}}
{{- $settings := .settings -}}
# Pinned: with `@latest` each release of the system would replace all nodes.
amiSelectorTerms:
  - alias: bottlerocket@{{ $settings.cluster.bottlerocket }}
instanceProfile: {{ .root.Values.nodePools.instanceProfile }}
subnetSelectorTerms:
  {{- range $settings.vpc.privateSubnets }}
  - id: {{ . }}
  {{- else }}
  - tags:
      karpenter.sh/discovery: {{ $settings.stackName }}
  {{- end }}
securityGroupSelectorTerms:
  - tags:
      aws:eks:cluster-name: {{ $settings.stackName }}
metadataOptions:
  {{- include "atelier.fixed" (dict "root" .root "of" "metadata") | nindent 2 }}
{{- end -}}

{{- define "atelier.volume" -}}
- deviceName: {{ .device }}
  ebs:
    volumeSize: {{ .volume.size }}Gi
    volumeType: gp3
    iops: {{ .volume.iops | default 3000 }}
    throughput: {{ .volume.throughput | default 125 }}
    encrypted: true
    {{- with .settings.cluster.volumeKeyArn }}
    kmsKeyID: {{ . }}
    {{- end }}
    deleteOnTermination: true
    {{- with .snapshot }}
    snapshotID: {{ . }}
    {{- end }}
{{- end -}}

{{/* "arm64" or "amd64": a g behind the generation is Graviton, as in m7g. */}}
{{- define "atelier.architecture" -}}
{{- regexMatch "^[a-z]+\\d+g[a-z]*\\." . | ternary "arm64" "amd64" -}}
{{- end -}}
