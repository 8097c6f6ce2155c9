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
# A pod is a hop further than the node, so none gets the node's credentials.
metadataOptions:
  httpEndpoint: enabled
  httpProtocolIPv6: disabled
  httpPutResponseHopLimit: 1
  httpTokens: required
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

{{/* Images are pulled in parallel onto the node's own NVMe. */}}
{{- define "atelier.soci" -}}
[settings.container-runtime]
snapshotter = "soci"

[settings.container-runtime-plugins.soci-snapshotter]
pull-mode = "parallel-pull-unpack"

[settings.container-runtime-plugins.soci-snapshotter.parallel-pull-unpack]
max-concurrent-downloads-per-image = 10
concurrent-download-chunk-size = "16mb"
max-concurrent-unpacks-per-image = 10
discard-unpacked-layers = true
{{ end -}}
