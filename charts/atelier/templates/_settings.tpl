{{/* The settings with their defaults, as the platform itself has them: defaults.yaml is made from it. */}}
{{- define "atelier.settings" -}}
{{- $defaults := .Files.Get "defaults.yaml" | fromYaml -}}
{{- $all := include "atelier.merged" (dict "under" $defaults.config "over" .Values.config) | fromJson -}}
{{- $runtimes := list -}}
{{- range .Values.config.modelsRuntime -}}
  {{- $one := include "atelier.merged" (dict "under" $defaults.runtime "over" .) | fromJson -}}
  {{- $runtimes = append $runtimes (set $one "name" (lower .name)) -}}
{{- end -}}
{{- toJson (merge (dict "modelsRuntime" $runtimes "instances" $defaults.instances "ray" $defaults.ray) $all) -}}
{{- end -}}

{{/* A part that no value changes, as `cdk.manifests` has it; a text stays as it is. */}}
{{- define "atelier.fixed" -}}
{{- $part := get (.root.Files.Get "defaults.yaml" | fromYaml).fixed .of -}}
{{- kindIs "string" $part | ternary $part (toYaml $part) -}}
{{- end -}}

{{/* `over`, and `under` where that says nothing. Sprig's own would take 0 and false for nothing. */}}
{{- define "atelier.merged" -}}
{{- $made := deepCopy .under -}}
{{- range $key, $value := .over -}}
  {{- if and (kindIs "map" $value) (kindIs "map" (get $made $key)) -}}
    {{- $value = include "atelier.merged" (dict "under" (get $made $key) "over" $value) | fromJson -}}
  {{- end -}}
  {{- $_ := set $made $key $value -}}
{{- end -}}
{{- toJson $made -}}
{{- end -}}

{{/* The most replicas of ingest, and the pods that the fewest and the most need: each has a whole core. */}}
{{- define "atelier.ingest" -}}
{{- $cores := ceil .rayCluster.ingestCpu -}}
{{- $least := coalesce .ingest.replicas .ingest.minReplicas 1 -}}
{{- $most := coalesce .ingest.replicas .ingest.maxReplicas $least -}}
{{- dict "most" $most "leastPods" (ceil (divf $least $cores)) "mostPods" (ceil (divf $most $cores)) | toJson -}}
{{- end -}}

{{/* What is taken, for a configuration may be the stack's as well, and changes nothing here. */}}
{{- define "atelier.unused" -}}
{{- $found := list -}}
{{- range (list "edge" "front" "alarms" "clusterComponents.desiredCount" "APIGW.stageName" "tasks.queueDays" "tasks.maxReceives" "vpc.id" "vpc.zones" "vpc.natGateways" "vpc.publicSubnets" "cluster.version" "cluster.admins" "cluster.publicAccessCidrs" "cluster.chartRepository" "cluster.imageRegistry" "images.keep" "storage.createModelBucket" "storage.modelBucketKeyArn" "storage.outputDays" "storage.infrequentDays") -}}
  {{- $names := splitList "." . -}}
  {{- $group := get $.Values.config (first $names) | default dict -}}
  {{- if or (and (eq (len $names) 1) $group) (and (eq (len $names) 2) (hasKey $group (last $names))) -}}
    {{- $found = append $found (printf "config.%s" .) -}}
  {{- end -}}
{{- end -}}
{{- range $runtime := .Values.config.modelsRuntime -}}
  {{- range (list "namespace" "chartRepository" "chartVersion" "extraValues") -}}
    {{- if get $runtime . -}}
      {{- $found = append $found (printf "config.modelsRuntime[%s].%s" $runtime.name .) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- $found | toJson -}}
{{- end -}}

{{/* What cannot be said in values.schema.json. */}}
{{- define "atelier.checked" -}}
{{- with (.Values.config.rayCluster).namespace -}}
  {{- if ne . $.Release.Namespace -}}
    {{- fail (printf "config.rayCluster.namespace is %s, and the release goes to %s: helm --namespace %s" . $.Release.Namespace .) -}}
  {{- end -}}
{{- end -}}
{{- if and .Values.nodePools.create (not .Values.nodePools.instanceProfile) -}}
  {{- fail "nodePools.instanceProfile: that of the GPU nodes is needed, or nodePools.create: false" -}}
{{- end -}}
{{- range $index, $runtime := .Values.config.modelsRuntime -}}
  {{- if not (or $.Values.config.modelBucketArn ($runtime.pod).existingClaim) -}}
    {{- fail (printf "config.modelBucketArn, or config.modelsRuntime[%d].pod.existingClaim, must say where weights are" $index) -}}
  {{- end -}}
{{- end -}}
{{- end -}}
