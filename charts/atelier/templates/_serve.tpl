{{/* What Ray Serve runs: the configuration without what only infrastructure reads. */}}
{{- define "atelier.serve" -}}
{{- $args := deepCopy .Values.config -}}
{{- range include "atelier.fixed" (dict "root" . "of" "notServed") | fromYamlArray }}{{ $_ := unset $args . }}{{ end -}}
{{- /* What a check of the settings reads besides: the application checks them as well. */ -}}
{{- with (.Values.config.alarms | default dict).starvedMinutes -}}
  {{- $_ := set $args "alarms" (dict "starvedMinutes" .) -}}
{{- end -}}
{{- $ingress := $args.ingress | default dict -}}
{{- $resources := merge (dict "ingest-place" 1) ($ingress.resources | default dict) -}}
{{- $vpc := (include "atelier.settings" . | fromJson).vpc -}}
{{- $trusted := dict "trustedProxies" (prepend ($vpc.moreCidrs | default list) $vpc.cidr) -}}
{{- if hasKey $ingress "trustedProxies" -}}{{- $trusted = dict -}}{{- end -}}
{{- $_ := set $args "ingress" (merge (dict "resources" $resources) $trusted $ingress) -}}
{{- if gt (int (include "atelier.ingest" (include "atelier.settings" . | fromJson) | fromJson).most) 1 -}}
  {{- $ingest := $args.ingest | default dict -}}
  {{- $cores := merge (dict "ingest-core" 1) ($ingest.resources | default dict) -}}
  {{- $_ := set $args "ingest" (merge (dict "resources" $cores) $ingest) -}}
{{- end -}}
{{- $runtimes := list -}}
{{- $servers := include "atelier.fixed" (dict "root" . "of" "servers") | fromYaml -}}
{{- range .Values.config.modelsRuntime -}}
  {{- $one := omit . "namespace" "chartRepository" "chartVersion" "extraValues" "nodes" "pod" -}}
  {{- with pick (.nodes | default dict) "capacity" "maxGpus" -}}
    {{- $one = set $one "nodes" . -}}
  {{- end -}}
  {{- $options := deepCopy (.options | default dict) -}}
  {{- if and (hasKey $servers .type) (not (hasKey $options "backend")) -}}
    {{- $one = set $one "options" (set $options "backend" (get $servers .type)) -}}
  {{- end -}}
  {{- $place := dict (include "atelier.place" (lower .name)) 1 -}}
  {{- $runtimes = append $runtimes (merge (dict "resources" (merge $place (.resources | default dict))) $one) -}}
{{- end -}}
{{- $_ := set $args "modelsRuntime" $runtimes -}}
{{- $settings := include "atelier.settings" . | fromJson -}}
{{- $_ := set $args "aws" $settings.aws -}}
{{- $_ := set $args "checkpoints" "/mnt/checkpoints" -}}
{{- $_ := set $args "logFile" ($args.logFile | default "/proc/1/fd/1") -}}
proxy_location: HeadOnly
http_options:
  host: 0.0.0.0
  port: 8000
  # Longer than any load balancer keeps its side: else it meets connections just closed.
  keep_alive_timeout_s: 4060
applications:
  - name: atelier
    route_prefix: /
    import_path: serve_app.app:build
    args:
      {{- toYaml $args | nindent 6 }}
{{- end -}}
