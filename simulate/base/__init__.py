from simulate.base.runtime import prepare

prepare()
